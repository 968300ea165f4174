// Symmetric quantization of weights: real = scale * q (docs/architecture.md, "Numbers").
#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace octet {

/// q: int8 [n, k] in [-127, 127]; scale: [n, 1] in the stored dtype.
struct QuantizedWeight {
  at::Tensor q, scale;
};

/// Scales range/127 rounded to `dtype`. Zero ranges (also after rounding) give scale 1; a subnormal
/// scale becomes the next one up with range/scale <= 127.5. ranges: float32 of any shape, >= 0,
/// finite.
at::Tensor scales_of_ranges(const at::Tensor& ranges, at::ScalarType dtype);

/// Per output channel by absmax. weight: [n, k], any float dtype; codes are rounded half to even
/// against the scale as stored. A channel of zeros gets scale 1.
QuantizedWeight quantize_per_channel(const at::Tensor& weight, at::ScalarType scale_dtype);

/// Offset codes (q + 128) as I32 [n, ceil(k/4)], low byte first (compressed-tensors
/// "pack-quantized").
at::Tensor pack_int8(const at::Tensor& q);
/// The inverse; Error naming `name` when the shapes do not fit. k: columns without padding.
at::Tensor unpack_int8(const at::Tensor& packed, int64_t k, const std::string& name);

}  // namespace octet
