#include "calib/site_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "kernels/cpu/statistics/statistics.h"

namespace octet {
namespace {

std::vector<float> row_absmax(const float* x, int64_t rows, int64_t k) {
  std::vector<float> most(static_cast<size_t>(rows));
#pragma omp parallel for if (rows * k > 65536)
  for (int64_t r = 0; r < rows; ++r) most[static_cast<size_t>(r)] = magnitude(x + r * k, k);
  return most;
}

void keep_larger(std::vector<float>& into, const std::vector<float>& from) {
  if (into.empty()) into.resize(from.size());
  for (size_t j = 0; j < from.size(); ++j) into[j] = std::max(into[j], from[j]);
}

}  // namespace

void check_finite(const std::vector<float>& channel_absmax, const std::string& site) {
  for (size_t j = 0; j < channel_absmax.size(); ++j) {
    if (std::isfinite(channel_absmax[j])) continue;
    throw Error(fmt::format("{} in channel {} of the input of {}",
                            std::isnan(channel_absmax[j]) ? "NaN" : "infinity", j, site),
                "finite activations",
                "run in bfloat16 or float32 (--dtype); check the checkpoint with octet inspect");
  }
}

void check_channels(const SiteStatistics& statistics, int64_t k, const std::string& site) {
  if (statistics.k() == 0 || statistics.k() == k) return;
  throw Error(fmt::format("input of {} with {} channels", site, k),
              fmt::format("{} channels as before", statistics.k()),
              "use statistics of one model only");
}

void SiteStatistics::add(const float* x, int64_t rows, int64_t k, const std::string& site) {
  check_channels(*this, k, site);
  if (rows == 0) return;
  std::vector<float> channels(static_cast<size_t>(k));
  cpu::channel_absmax(x, rows, k, channels.data());
  check_finite(channels, site);
  values.add(x, rows * k, magnitude(channels.data(), k));
  tokens.add(row_absmax(x, rows, k).data(), rows);
  keep_larger(channel_absmax, channels);
}

void SiteStatistics::merge(const SiteStatistics& other, const std::string& site) {
  if (other.k() != 0) check_channels(*this, other.k(), site);
  values.merge(other.values);
  tokens.merge(other.tokens);
  keep_larger(channel_absmax, other.channel_absmax);
  output_absmax = std::max(output_absmax, other.output_absmax);
}

}  // namespace octet
