// Dot products of half-precision weight rows with float rows: the inner loop of f16_gemm, one for
// each CPU level. Each (row, weight row) pair has one vector of running sums along k, added up at
// the end in a fixed order: its bits depend on the level alone, not on how pairs are grouped.
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

inline constexpr int kDotColumns = 12;  ///< weight rows handled together

/// sums[i, c] = sum_k x[i, k] * w[c, k] for m rows of x and columns <= kDotColumns weight rows;
/// sums has row stride kDotColumns.
using Dots = void (*)(const uint16_t* w, int columns, const float* x, int64_t m, int64_t k,
                      float* sums);

Dots best_dots(Level level);
Dots dots_portable();
Dots dots_avx2();
Dots dots_avx512();

}  // namespace octet::cpu
