// Dot products of stored weight rows with float rows: the inner loops of the weight-only linears,
// one set per CPU level. Each (row, weight row) pair has one vector of running sums along k, added
// up at the end in a fixed order: its bits depend on the level alone, not on how pairs are grouped.
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

inline constexpr int kDotColumns = 12;  ///< weight rows handled together

struct DotKernels {
  /// sums[i, c] = sum_k x[i, k] * w[c, k] for m rows of x and columns <= kDotColumns weight rows;
  /// sums has row stride kDotColumns.
  void (*int8)(const int8_t* w, int columns, const float* x, int64_t m, int64_t k, float* sums);
  void (*half)(const uint16_t* w, int columns, const float* x, int64_t m, int64_t k, float* sums);
  /// y[i] = q[i] * scale.
  void (*widen_int8)(const int8_t* q, int64_t count, float scale, float* y);
  void (*widen_half)(const uint16_t* w, int64_t count, float* y);
};

const DotKernels& dot_kernels(Level level);
const DotKernels& dot_kernels_portable();
const DotKernels& dot_kernels_avx2();
const DotKernels& dot_kernels_avx512();

}  // namespace octet::cpu
