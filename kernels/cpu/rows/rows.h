// One row's elementwise kernels, compiled once per CPU level. quantize.cc and statistics.cc spread
// rows over threads; fused calls run the same functions over a cached row, so their bits are equal.
#pragma once
#include <cstdint>

#include "kernels/codebook.h"
#include "kernels/cpu/features.h"

namespace octet::cpu {

struct RowKernels {
  /// absmax(x) / Int8Codes::kDivisor as quantize.h says: 1 for a zero row, NaN when any x is NaN or
  /// Inf.
  float (*scale)(const float* x, int64_t k);
  /// q = round_half_even(x / scale) clamped to Int8Codes; 0 where the quotient is NaN, and
  /// everywhere when scale is NaN.
  void (*quantize)(const float* x, int64_t k, float scale, int8_t* q);
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t k, float* y);
  void (*silu_mul)(const float* gate, const float* up, int64_t k, float* y);
  /// Norm of x + delta (delta may be null), as quantize.h says. y may be x or delta.
  void (*layer_norm)(const float* x, const float* delta, const float* weight, const float* bias,
                     float eps, int64_t k, float* y);
  void (*silu)(const float* x, int64_t k, float* y);
  void (*relu)(const float* x, int64_t k, float* y);
  /// absmax[j] = max(absmax[j], |x[j]|), NaN wins.
  void (*absmax)(const float* x, int64_t k, float* absmax);
  /// index[i] = min(floor(|x_i| / width), last), and -1 where x_i is 0.
  void (*bins)(const float* x, int64_t k, float width, int32_t last, int32_t* index);
};

const RowKernels& row_kernels(Level level);
const RowKernels& row_kernels_portable();
const RowKernels& row_kernels_avx2();
const RowKernels& row_kernels_avx512();

}  // namespace octet::cpu
