// A linear with IEEE half weights on the CPU: they are widened in registers. No widened copy of a
// whole weight ever exists.
#pragma once
#include <cstdint>

namespace octet::cpu {

/// y[m, n] = sum_k x[m, k] * w[n, k] + bias[n]; x float32 [m, k], w IEEE half row-major [n, k] (a
/// kept FP16 head), float32 accumulation. bias may be null. Fast for m <= kSmallM; right for any
/// m.
void f16_gemm(const uint16_t* w, const float* bias, const float* x, int64_t m, int64_t n, int64_t k,
              float* y);

inline constexpr int64_t kSmallM = 16;

}  // namespace octet::cpu
