#include "calib/observer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "models/run/cuda.h"

namespace octet {
namespace {

at::Tensor rows_of(const at::Tensor& x) {
  return x.detach().reshape({-1, x.size(-1)}).contiguous();
}

void add_cpu(SiteStatistics& to, const at::Tensor& x, const std::string& site) {
  const at::Tensor wide = rows_of(x).to(at::kFloat);
  to.add(wide.data_ptr<float>(), wide.size(0), wide.size(1), site);
}

// The kernels count on the device in bins that already hold the batch's maximum; one copy back a
// batch.
void add_cuda(SiteStatistics& to, const at::Tensor& given, const std::string& site) {
  const at::Tensor x = rows_of(given);
  const int64_t rows = x.size(0), k = x.size(1);
  check_channels(to, k, site);
  if (rows == 0) return;
  void* stream = current_cuda_stream();
  const auto on_device = x.options();
  at::Tensor channels = at::zeros({k}, on_device.dtype(at::kFloat));
  cuda::channel_absmax(x.data_ptr(), cuda_type(x), rows, k, channels.data_ptr<float>(), stream);
  const at::Tensor channels_here = channels.cpu();
  const float* most = channels_here.data_ptr<float>();
  const std::vector<float> batch(most, most + k);
  check_finite(batch, site);
  if (to.channel_absmax.empty()) to.channel_absmax.resize(batch.size());
  for (size_t j = 0; j < batch.size(); ++j) {
    to.channel_absmax[j] = std::max(to.channel_absmax[j], batch[j]);
  }
  to.values.grow(magnitude(batch.data(), k));
  at::Tensor counts = at::zeros({Histogram::kBins + 1}, on_device.dtype(at::kLong));
  int64_t* bins = counts.data_ptr<int64_t>();
  cuda::histogram(x.data_ptr(), cuda_type(x), x.numel(), to.values.width(), bins, Histogram::kBins,
                  bins + Histogram::kBins, stream);
  const at::Tensor tokens = std::get<0>(x.abs().max(1)).to(at::kFloat).cpu();
  const at::Tensor counts_here = counts.cpu();
  const int64_t* counted = counts_here.data_ptr<int64_t>();
  to.values.add_counts({counted, Histogram::kBins}, counted[Histogram::kBins]);
  to.tokens.add(tokens.data_ptr<float>(), rows);
}

float absmax_of(const at::Tensor& y) {
  if (y.numel() == 0) return 0;
  return y.detach().abs().max().to(at::kFloat).item<float>();
}

}  // namespace

CalibrationObserver::CalibrationObserver(const Topology& topology, const std::vector<Id>& sites) {
  for (const Id site : sites) {
    const std::string& name = topology.sites.at(static_cast<size_t>(site)).name;
    names_.emplace(site, name);
    statistics_.try_emplace(name);
  }
}

CalibrationObserver::Observed CalibrationObserver::find(Id site) {
  const auto found = names_.find(site);
  if (found == names_.end()) return {};
  return {&found->second, &statistics_.at(found->second)};
}

void CalibrationObserver::on_input(Id site, const at::Tensor& x) {
  const auto [name, statistics] = find(site);
  if (statistics == nullptr) return;
  if (x.is_cuda()) return add_cuda(*statistics, x, *name);
  add_cpu(*statistics, x, *name);
}

void CalibrationObserver::on_output(Id site, const at::Tensor& y) {
  const auto [name, statistics] = find(site);
  if (statistics == nullptr) return;
  const float absmax = absmax_of(y);
  if (!std::isfinite(absmax)) {
    throw Error(fmt::format("{} in the output of {}", absmax, *name), "finite activations",
                "run in bfloat16 or float32 (--dtype); check the checkpoint with octet inspect");
  }
  statistics->output_absmax = std::max(statistics->output_absmax, absmax);
}

std::map<std::string, SiteStatistics> CalibrationObserver::take() {
  std::map<std::string, SiteStatistics> taken = std::move(statistics_);
  statistics_.clear();
  for (const auto& [site, name] : names_) statistics_.try_emplace(name);
  return taken;
}

}  // namespace octet
