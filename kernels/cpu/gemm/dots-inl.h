// Dots over `Ops`, which the including file defines before: Reg, kLanes, kMaxRows, and the static
// functions zero, load (of float and of uint16_t halves), store, fma, sum. Internal linkage: each
// including file gets its own copy.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/gemm/dots.h"

namespace octet::cpu {
namespace {

using Reg = Ops::Reg;

template <typename T>
Reg load_tail(const T* from, int64_t count) {
  T whole[Ops::kLanes] = {};
  std::memcpy(whole, from, static_cast<size_t>(count) * sizeof(T));
  return Ops::load(whole);
}

/// Adds the last k - j products and sums the lanes. Out of line: inlined, it would cost the loop
/// before it registers.
[[gnu::noinline]] inline float finish(const float* lanes, const uint16_t* w, const float* x,
                                      int64_t left) {
  Reg acc = Ops::load(lanes);
  if (left > 0) acc = Ops::fma(load_tail(x, left), load_tail(w, left), acc);
  return Ops::sum(acc);
}

template <int kRows, int kCols>
void dot_block(const uint16_t* w, const float* x, int64_t k, int64_t w_stride, float* sums) {
  Reg acc[kRows][kCols];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int c = 0; c < kCols; ++c) acc[i][c] = Ops::zero();
  }
  int64_t j = 0;
  for (; j + Ops::kLanes <= k; j += Ops::kLanes) {
    Reg widened[kCols];
#pragma GCC unroll 16
    for (int c = 0; c < kCols; ++c) widened[c] = Ops::load(w + c * w_stride + j);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Reg row = Ops::load(x + i * k + j);
#pragma GCC unroll 16
      for (int c = 0; c < kCols; ++c) acc[i][c] = Ops::fma(row, widened[c], acc[i][c]);
    }
  }
  float lanes[kRows][kCols][Ops::kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int c = 0; c < kCols; ++c) Ops::store(lanes[i][c], acc[i][c]);
  }
  for (int i = 0; i < kRows; ++i) {
    for (int c = 0; c < kCols; ++c) {
      sums[i * kDotColumns + c] = finish(lanes[i][c], w + c * w_stride + j, x + i * k + j, k - j);
    }
  }
}

/// Columns of one block: as many as leave registers for the sums, the weights and one piece of x.
template <int kRows>
constexpr int kBlockColumns = std::min(4, (Ops::kRegisters - 1) / (kRows + 1));

template <int kRows>
void dot_rows(const uint16_t* w, int columns, const float* x, int64_t k, int64_t w_stride,
              float* sums) {
  constexpr int kCols = kBlockColumns<kRows>;
  int c = 0;
  for (; c + kCols <= columns; c += kCols) {
    dot_block<kRows, kCols>(w + c * w_stride, x, k, w_stride, sums + c);
  }
  for (; c < columns; ++c) dot_block<kRows, 1>(w + c * w_stride, x, k, w_stride, sums + c);
}

template <int kRows = Ops::kMaxRows>
void dot_any_rows(const uint16_t* w, int columns, const float* x, int64_t m, int64_t k,
                  int64_t w_stride, float* sums) {
  while (m >= kRows) {
    dot_rows<kRows>(w, columns, x, k, w_stride, sums);
    x += kRows * k;
    sums += kRows * kDotColumns;
    m -= kRows;
  }
  if constexpr (kRows > 1) dot_any_rows<kRows - 1>(w, columns, x, m, k, w_stride, sums);
}

/// Weights are widened again for each block of rows: they are in cache then, and the ports that
/// widen are not the ones that multiply.
void dots(const uint16_t* w, int columns, const float* x, int64_t m, int64_t k, float* sums) {
  dot_any_rows(w, columns, x, m, k, k, sums);
}

}  // namespace
}  // namespace octet::cpu
