// Symmetric quantization of weights: real = scale * q (docs/architecture.md, "Numbers").
#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace octet {

/// q: int8 [n, k]; scale: [n, groups] in the stored dtype.
struct QuantizedWeight {
  at::Tensor q, scale;
};

/// How a weight becomes codes (kernels/cpu/weights/quantize_weights.h).
struct WeightCoding {
  int bits = 8;              ///< 8: q in [-127, 127], scale = range / 127; 4: [-8, 7], range / 7.5
  int64_t group = 0;         ///< weights along k that share a scale; 0: the whole row
  bool clip_search = false;  ///< range with the least sum of fourth powers of the errors
                             ///< instead of absmax
};

/// Scales of INT8 activations: range/127 rounded to `dtype`. Zero ranges (also after rounding) give
/// scale 1; a subnormal scale becomes the next one up with range/scale <= 127.5. ranges: float32 of
/// any shape, >= 0, finite.
at::Tensor scales_of_ranges(const at::Tensor& ranges, at::ScalarType dtype);

/// weight: [n, k] in float16, bfloat16 or float32, k a multiple of the group. Codes are rounded
/// half to even against the scale as stored. A group of zeros gets scale 1; NaN and Inf are Errors.
QuantizedWeight quantize_weight(const at::Tensor& weight, const WeightCoding& coding,
                                at::ScalarType scale_dtype);

/// compressed-tensors "pack-quantized": code + 2^(bits-1) at bits [j * bits, ...) along k, low bits
/// first, as I32 [n, ceil(k * bits / 32)]. bits: 4 or 8.
at::Tensor pack_qweight(const at::Tensor& q, int bits);
/// The inverse, int8 [n, k]; Error naming `name` when the shapes do not fit.
at::Tensor unpack_qweight(const at::Tensor& packed, int64_t k, int bits, const std::string& name);

}  // namespace octet
