// The weights that an Executor reads. For float models it is an adaptor over their TensorSource.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "models/format.h"

namespace octet {

/// One tensor of a model. Either `dense` (any float dtype, CPU, contiguous) or, from a quantized
/// directory only, integer codes with their scale.
struct Weight {
  at::Tensor dense;
  at::Tensor q;                ///< codes [n, k]: int8
  at::Tensor scale;            ///< float [n, 1]: real = scale * q
  at::Tensor input_scale;      ///< float [1]: static activation scale, or undefined
  Dtype element = Dtype::kI8;  ///< of q
  int64_t group = 0;           ///< 0: one scale an output channel
  Format input;                ///< of what the weight is multiplied with
  bool quantized() const { return q.defined(); }
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual bool has(const std::string& name) const = 0;
  /// Error when there is no such tensor, or it is not readable as described above.
  virtual Weight get(const std::string& name) = 0;
};

}  // namespace octet
