// Quantizes weights to integer codes, some rows at a time, as the streaming conversion needs it.
#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace octet {

/// How a row of weights becomes codes: those of codebook(element), against scales that are rounded
/// to scale_type first (docs/architecture.md "Numbers").
struct WeightCoding {
  Dtype element = Dtype::kI8;
  int64_t group = 0;         ///< weights along k that share a scale; 0: the whole row
  bool clip_search = false;  ///< range with the least sum of errors^4 instead of absmax
  Dtype scale_type = Dtype::kF16;
};

namespace cpu {

/// Types of weights and of scales here are F16, BF16 and F32; any other, and an element without a
/// codebook, is an Error.

/// w: `rows` x k of `type`, row-major. codes: int8 [rows, k]. scales: [rows, k / group or 1], as
/// stored, widened to float32. Rows are independent: any division into calls gives the same bits,
/// on any level. Returns the flat index of the first weight that is NaN, Inf or too large for a
/// scale of scale_type, or -1; outputs are unspecified then. clip_search tries 16 ranges from 0.7
/// to 1.075 times absmax in steps of 0.025 and takes the best one; of equally good ones it prefers
/// absmax, then the first.
int64_t quantize_weights(const void* w, Dtype type, int64_t rows, int64_t k,
                         const WeightCoding& coding, int8_t* codes, float* scales);

/// The value of a weight after quantization with given scales: values[i] = scale * code in float32,
/// and inside[i] = 1 if the code was not clamped, else 0. w, values and inside: [rows, k]; scales:
/// [rows, k / group or 1], > 0. Only element and group of `coding` are used.
void round_trip(const float* w, int64_t rows, int64_t k, const WeightCoding& coding,
                const float* scales, float* values, uint8_t* inside);

/// Flat index of the first NaN or Inf among `count` values, or -1.
int64_t find_nonfinite(const void* w, Dtype type, int64_t count);

/// out[i] = scales[i] in `type`; exact for what quantize_weights gives.
void store_scales(const float* scales, int64_t count, Dtype type, void* out);

/// compressed-tensors "pack-quantized": with bits those of element, I8 or I4, code + 2^(bits-1) at
/// bits [j * bits, ...) of int32 words along k, low bits first; packed: [rows, ceil(k * bits /
/// 32)], zero-padded.
void pack_qweight(const int8_t* codes, int64_t rows, int64_t k, Dtype element, int32_t* packed);
void unpack_qweight(const int32_t* packed, int64_t rows, int64_t k, Dtype element, int8_t* codes);

}  // namespace cpu
}  // namespace octet
