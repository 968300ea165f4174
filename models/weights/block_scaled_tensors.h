// FP8 weights with block factors, as the floats that they stand for.
#pragma once
#include <map>
#include <set>

#include "models/weights/tensor_source.h"

namespace octet {

/// A source with F8_E4M3 weights that have a factor a block of 128 x 128 (DeepSeek-V3). Such a
/// weight comes out as float32, or as bfloat16 where it is `kept`. The factors are no tensors of
/// their own. block_scales: name of the factors by name of the weight.
class BlockScaledTensors : public TensorSource {
 public:
  BlockScaledTensors(std::shared_ptr<TensorSource> stored,
                     const std::map<std::string, std::string>& block_scales,
                     const std::set<std::string>& kept);
  std::shared_ptr<const TensorReader> open(const std::string& name) override;

 private:
  std::shared_ptr<TensorSource> stored_;
  std::map<std::string, std::string> block_scales_;
};

}  // namespace octet
