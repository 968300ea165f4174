// bfloat16 products of PackedWeights with AVX512-BF16: pairs of steps, float32 sums.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/cpu/gemm/packed_block.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512bf16")

namespace octet::cpu {
namespace {

constexpr int kTileRows = 12;

/// Two steps of one row in every lane.
__m512bh spread_pair(const uint16_t* x) {
  int32_t pair;
  std::memcpy(&pair, x, sizeof pair);
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

template <int kRows>
void tile(const uint16_t* x, const uint16_t* weights, int64_t steps, bool add, float* sums) {
  __m512 sum[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const float* from = sums + r * kPanelColumns;
    sum[r][0] = add ? _mm512_loadu_ps(from) : _mm512_setzero_ps();
    sum[r][1] = add ? _mm512_loadu_ps(from + 16) : _mm512_setzero_ps();
  }
  for (int64_t s = 0; s < steps; ++s, x += kBf16Rows * kBf16Depth) {
    for (int64_t j = 0; j < kBf16Depth; j += 2, weights += 2 * kPanelColumns) {
      const auto low = reinterpret_cast<__m512bh>(_mm512_loadu_si512(weights));
      const auto high = reinterpret_cast<__m512bh>(_mm512_loadu_si512(weights + kPanelColumns));
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const __m512bh row = spread_pair(x + r * kBf16Depth + j);
        sum[r][0] = _mm512_dpbf16_ps(sum[r][0], low, row);
        sum[r][1] = _mm512_dpbf16_ps(sum[r][1], high, row);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm512_storeu_ps(sums + r * kPanelColumns, sum[r][0]);
    _mm512_storeu_ps(sums + r * kPanelColumns + 16, sum[r][1]);
  }
}

template <int kRows = kTileRows>
void tiles(const uint16_t* x, const uint16_t* weights, int64_t steps, int64_t rows, bool add,
           float* sums) {
  while (rows >= kRows) {
    tile<kRows>(x, weights, steps, add, sums);
    x += kRows * kBf16Depth;
    sums += kRows * kPanelColumns;
    rows -= kRows;
  }
  if constexpr (kRows > 1) tiles<kRows - 1>(x, weights, steps, rows, add, sums);
}

}  // namespace

void bf16_product(const uint16_t* x, const uint16_t* weights, int64_t steps, int64_t rows, bool add,
                  float* sums) {
  tiles<>(x, weights, steps, rows, add, sums);
}

}  // namespace octet::cpu
