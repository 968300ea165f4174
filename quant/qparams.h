// Symmetric quantization of weights: real = scale * q (docs/architecture.md, "Numbers").
#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "kernels/cpu/weights/quantize_weights.h"

namespace octet {

/// q: int8 [n, k]; scale: [n, groups] in the stored dtype.
struct QuantizedWeight {
  at::Tensor q, scale;
};

/// Scales of inputs with codes of `element`: range / divisor (kernels/codebook.h) rounded to
/// `scale_type`. Zero ranges (also after rounding) give scale 1; a subnormal scale becomes the next
/// one up where a range would reach half a step beyond the divisor. ranges: float32 of any shape,
/// >= 0, finite.
at::Tensor scales_of_ranges(const at::Tensor& ranges, Dtype element, Dtype scale_type);

/// weight: [n, k] in float16, bfloat16 or float32, k a multiple of the group. Codes are rounded
/// half to even against the scale as stored. A group of zeros gets scale 1; NaN and Inf are Errors.
QuantizedWeight quantize_weight(const at::Tensor& weight, const WeightCoding& coding);

/// compressed-tensors "pack-quantized" of I8 or I4: code + 2^(bits-1) at bits [j * bits, ...) along
/// k, low bits first, as I32 [n, ceil(k * bits / 32)].
at::Tensor pack_qweight(const at::Tensor& q, Dtype element);
/// The inverse, int8 [n, k]; Error naming `name` when the shapes do not fit.
at::Tensor unpack_qweight(const at::Tensor& packed, int64_t k, Dtype element,
                          const std::string& name);

}  // namespace octet
