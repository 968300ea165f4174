// Weights as tensors of torch: the adaptor from any TensorSource, and tensors that are in memory.
#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>

#include "models/topology.h"
#include "models/weights/tensor_source.h"
#include "models/weights/weight_source.h"

namespace octet {

/// What an Executor reads of a TensorSource: each tensor whole, in the dtype of the source. NaN or
/// Inf in it is an Error naming tensor and place.
class TensorWeights : public WeightSource {
 public:
  explicit TensorWeights(std::shared_ptr<TensorSource> source);
  bool has(const std::string& name) const override { return source_->has(name); }
  Weight get(const std::string& name) override;

 private:
  std::shared_ptr<TensorSource> source_;
};

/// Named tensors in memory (CPU), in the order of their names.
class MemoryTensors : public TensorSource {
 public:
  explicit MemoryTensors(std::map<std::string, at::Tensor> tensors);
  std::shared_ptr<const TensorReader> open(const std::string& name) override;

 private:
  std::map<std::string, at::Tensor> tensors_;
};
/// TensorWeights of MemoryTensors.
std::shared_ptr<WeightSource> memory_weights(std::map<std::string, at::Tensor> tensors);

/// Every tensor of a topology, normal with deviation `deviation` (norm weights around 1), float32,
/// from core/random.
std::map<std::string, at::Tensor> random_tensors(const Topology& topology, uint64_t seed,
                                                 double deviation);

/// Throws Error naming `name` and the first bad element if a float tensor holds NaN or Inf.
void check_finite(const std::string& name, const at::Tensor& tensor);

/// A tensor in the dtype of its source (any that torch has), without the finite check. Large ones
/// are read by several threads.
at::Tensor read_tensor(TensorSource& source, const std::string& name);

}  // namespace octet
