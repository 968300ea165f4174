// The unit of a streaming conversion: one tensor that is read, and what is written from it.
#pragma once
#include <string>
#include <vector>

#include "core/containers/tensor_info.h"
#include "kernels/cpu/weights/quantize_weights.h"

namespace octet {

/// A small tensor whose value is known without reading any file (weight_shape, input_scale).
struct ConstantTensor {
  TensorInfo info;
  std::string bytes;
};

/// A list of these is all that the writer knows about a model; it knows no architecture.
struct StreamItem {
  /// kCopy: bytes unchanged. kCodes: <target>.weight I8 and <target>.weight_scale. kPacked:
  /// <target>.weight_packed I32 and <target>.weight_scale (compressed-tensors "int-quantized" and
  /// "pack-quantized").
  enum class Action { kCopy, kCodes, kPacked };
  std::string source;  ///< tensor that is read
  std::string target;  ///< kCopy: tensor that is written; otherwise the module
  Action action = Action::kCopy;
  WeightCoding codes;
  std::vector<ConstantTensor> constants;
};

/// The tensors that an item writes, its constants behind them. `source` describes what is read.
/// Error unless the action can be done: a float matrix [n, k] whose groups divide k.
std::vector<TensorInfo> item_tensors(const StreamItem& item, const TensorInfo& source);

}  // namespace octet
