// Reads compressed-tensors directories, octet's own and others' (compressed-tensors 0.20,
// docs/checkpoint-format.md): symmetric INT8 and INT4 weights, packed or as plain integers.
#pragma once
#include <memory>
#include <string>

#include "models/weights/tensor_source.h"
#include "models/weights/weight_source.h"
#include "quant/formats/compressed_tensors/compressed_tensors_config.h"

namespace octet {

class SourceModel;

class QuantizedSource : public WeightSource {
 public:
  explicit QuantizedSource(const SourceModel& model);
  bool has(const std::string& name) const override;
  /// "<module>.weight" gives codes and scales where the module is quantized, else the dense tensor.
  Weight get(const std::string& name) override;
  /// The scheme that a linear layer is stored in ("fp16": kept). Error when the config says one
  /// thing and the tensors another.
  Scheme scheme_of(const std::string& module) const;

 private:
  bool stored_quantized(const std::string& module) const;
  at::Tensor codes(const std::string& module, Dtype element) const;
  at::Tensor positive(const std::string& name) const;
  at::Tensor weight_scale(const std::string& module, const CompressedTensorsConfig::Group& group,
                          const at::Tensor& q) const;
  std::shared_ptr<TensorSource> source_;
  CompressedTensorsConfig config_;
};

}  // namespace octet
