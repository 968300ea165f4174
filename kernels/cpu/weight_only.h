// Weight-only linears on the CPU: packed weights are widened in registers (few rows) or tile by
// tile. No widened copy of a whole weight ever exists.
#pragma once
#include <cstdint>

namespace octet::cpu {

/// y[m, n] = sum_k x[m, k] * q[n, k] * scale[n] + bias[n]; x float32 [m, k], q int8 row-major [n,
/// k] (the bytes of pack-quantized 8-bit weights, minus 128). bias may be null. Fast for m <=
/// kFewRows; right for any m.
void w8a16_gemm(const int8_t* q, const float* scale, const float* bias, const float* x, int64_t m,
                int64_t n, int64_t k, float* y);

/// The same for IEEE half weights [n, k] (a kept FP16 head): float32 accumulation.
void f16_gemm(const uint16_t* w, const float* bias, const float* x, int64_t m, int64_t n, int64_t k,
              float* y);

/// Widen rows to float32 [rows, k] for callers that run their own GEMM on a tile.
void widen_int8_rows(const int8_t* q, const float* scale, int64_t rows, int64_t k, float* out);
void widen_f16_rows(const uint16_t* w, int64_t rows, int64_t k, float* out);

inline constexpr int64_t kFewRows = 16;

}  // namespace octet::cpu
