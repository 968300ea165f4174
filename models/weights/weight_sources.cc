#include "models/weights/weight_sources.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/random.h"
#include "models/architectures/registry.h"
#include "models/torch_dtype.h"

namespace octet {
namespace {

constexpr int64_t kPart = int64_t{1} << 20;  // bytes that a thread reads at a time, at least

class MemoryReader : public TensorReader {
 public:
  explicit MemoryReader(at::Tensor tensor) : tensor_(std::move(tensor)) {}
  void read(uint64_t offset, std::span<std::byte> out) const override {
    std::memcpy(out.data(), static_cast<const std::byte*>(tensor_.const_data_ptr()) + offset,
                out.size());
  }

 private:
  at::Tensor tensor_;
};

}  // namespace

at::Tensor read_tensor(TensorSource& source, const std::string& name) {
  const TensorInfo& info = source.info(name);
  at::Tensor tensor = at::empty(info.shape, at::TensorOptions(torch_dtype(info.dtype, name)));
  const std::span<std::byte> bytes(static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes());
  const auto row = static_cast<int64_t>(row_bytes(info));
  if (row == 0) return tensor;
  const auto reader = source.open(name);
  at::parallel_for(0, std::ssize(bytes) / row, std::max<int64_t>(1, kPart / row),
                   [&](int64_t begin, int64_t end) {
                     reader->read(static_cast<uint64_t>(begin * row),
                                  bytes.subspan(static_cast<size_t>(begin * row),
                                                static_cast<size_t>((end - begin) * row)));
                   });
  return tensor;
}

void check_finite(const std::string& name, const at::Tensor& tensor) {
  if (!tensor.is_floating_point() || tensor.numel() == 0) return;
  // A sum is finite only if every element is (float64 cannot overflow on these dtypes).
  if (std::isfinite(tensor.sum(at::kDouble).item<double>())) return;
  const at::Tensor bad = at::nonzero(at::isfinite(tensor.reshape({-1})).logical_not());
  if (bad.numel() == 0) return;
  const int64_t at_index = bad[0][0].item<int64_t>();
  throw Error(
      fmt::format("{} at element {} of tensor {} ({} such elements)",
                  tensor.reshape({-1})[at_index].item<double>(), at_index, name, bad.size(0)),
      "finite weights", "the checkpoint is damaged: fetch or train it again");
}

TensorWeights::TensorWeights(std::shared_ptr<TensorSource> source) : source_(std::move(source)) {}

Weight TensorWeights::get(const std::string& name) {
  Weight weight;
  weight.dense = read_tensor(*source_, name);
  check_finite(name, weight.dense);
  return weight;
}

MemoryTensors::MemoryTensors(std::map<std::string, at::Tensor> tensors)
    : tensors_(std::move(tensors)) {
  for (const auto& [name, tensor] : tensors_) {
    add({name, container_dtype(tensor.scalar_type()), tensor.sizes().vec()});
  }
}

std::shared_ptr<const TensorReader> MemoryTensors::open(const std::string& name) {
  info(name);
  return std::make_shared<MemoryReader>(tensors_.at(name).contiguous());
}

std::shared_ptr<WeightSource> memory_weights(std::map<std::string, at::Tensor> tensors) {
  return std::make_shared<TensorWeights>(std::make_shared<MemoryTensors>(std::move(tensors)));
}

std::map<std::string, at::Tensor> random_tensors(const Topology& topology, uint64_t seed,
                                                 double deviation) {
  std::map<std::string, at::Tensor> tensors;
  const auto fill = [&](const std::string& name, at::IntArrayRef shape, double mean) {
    const Random random(seed, name);
    at::Tensor tensor = at::empty(shape, at::kFloat);
    auto* data = tensor.data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      data[i] = static_cast<float>(mean + deviation * random.normal(static_cast<uint64_t>(i)));
    }
    tensors[name] = tensor;
  };
  for (const Table& table : topology.tables) fill(table.name, table.shape(), 0);
  for (const Norm& norm : topology.norms) {
    fill(norm.name + ".weight", {norm.dim}, 1);
    if (!norm.rms) fill(norm.name + ".bias", {norm.dim}, 0);
  }
  for (const Site& site : topology.sites) {
    for (const Matrix& matrix : site.matrices) {
      if (site.tied_to.empty()) fill(matrix.name + ".weight", {matrix.n, matrix.k}, 0);
      if (matrix.bias) fill(matrix.name + ".bias", {matrix.n}, 0);
    }
  }
  return tensors;
}

}  // namespace octet
