// DotKernels over `Ops`, which the including file defines before: Reg, kLanes, kMaxRows, and the
// static functions zero, load (of float, int8_t, uint16_t halves), store, fma, sum. Internal
// linkage: each including file gets its own copy.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/dots.h"

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
template <typename T>
[[gnu::noinline]] float finish(const float* lanes, const T* w, const float* x, int64_t left) {
  Reg acc = Ops::load(lanes);
  if (left > 0) acc = Ops::fma(load_tail(x, left), load_tail(w, left), acc);
  return Ops::sum(acc);
}

template <typename T, int kRows, int kCols>
void dot_block(const T* w, const float* x, int64_t k, int64_t w_stride, float* sums) {
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

template <typename T, int kRows>
void dot_rows(const T* w, int columns, const float* x, int64_t k, int64_t w_stride, float* sums) {
  constexpr int kCols = kBlockColumns<kRows>;
  int c = 0;
  for (; c + kCols <= columns; c += kCols) {
    dot_block<T, kRows, kCols>(w + c * w_stride, x, k, w_stride, sums + c);
  }
  for (; c < columns; ++c) dot_block<T, kRows, 1>(w + c * w_stride, x, k, w_stride, sums + c);
}

template <typename T, int kRows = Ops::kMaxRows>
void dot_any_rows(const T* w, int columns, const float* x, int64_t m, int64_t k, int64_t w_stride,
                  float* sums) {
  while (m >= kRows) {
    dot_rows<T, kRows>(w, columns, x, k, w_stride, sums);
    x += kRows * k;
    sums += kRows * kDotColumns;
    m -= kRows;
  }
  if constexpr (kRows > 1) dot_any_rows<T, kRows - 1>(w, columns, x, m, k, w_stride, sums);
}

template <typename T>
void widen(const T* from, int64_t count, float* to) {
  int64_t j = 0;
  for (; j + Ops::kLanes <= count; j += Ops::kLanes) Ops::store(to + j, Ops::load(from + j));
  if (j == count) return;
  float last[Ops::kLanes];
  Ops::store(last, load_tail(from + j, count - j));
  std::memcpy(to + j, last, static_cast<size_t>(count - j) * sizeof(float));
}

/// Weights are widened again for each block of rows: they are in cache then, and the ports that
/// widen are not the ones that multiply.
template <typename T>
void dots(const T* w, int columns, const float* x, int64_t m, int64_t k, float* sums) {
  dot_any_rows(w, columns, x, m, k, k, sums);
}

void widen_int8(const int8_t* q, int64_t count, float scale, float* y) {
  widen(q, count, y);
  for (int64_t j = 0; j < count; ++j) y[j] *= scale;
}

constexpr DotKernels kDotKernels = {dots<int8_t>, dots<uint16_t>, widen_int8, widen<uint16_t>};

}  // namespace
}  // namespace octet::cpu
