// Register tiles of float products over vectors of kLanes floats, which the including file defines
// before, with kTileRows (rows of one tile, two vectors each). Internal linkage: each including
// file gets its own copy.
#pragma once
#include <cstdint>

// As in exp-inl.h: vectors are passed to inlined functions only.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace octet::cpu {
namespace {

typedef float Reg __attribute__((vector_size(kLanes * sizeof(float))));
constexpr int64_t kWidth = 2 * kLanes;

/// x in every lane. (Reg{} + x would have to turn -0 into 0.)
[[gnu::always_inline]] inline Reg spread(float x) {
  return x - Reg{};
}

[[gnu::always_inline]] inline Reg load(const float* from) {
  Reg v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

[[gnu::always_inline]] inline void store(float* to, Reg v) {
  __builtin_memcpy(to, &v, sizeof v);
}

/// c[r, 0..kWidth) (+)= sum over depth of a[r, j] * b[j, 0..kWidth).
template <int kRows, bool kAdd>
void tile(const float* a, int64_t a_stride, const float* b, int64_t depth, float* c,
          int64_t c_stride) {
  Reg sum[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    sum[r][0] = kAdd ? load(c + r * c_stride) : Reg{};
    sum[r][1] = kAdd ? load(c + r * c_stride + kLanes) : Reg{};
  }
  for (int64_t j = 0; j < depth; ++j) {
    const Reg low = load(b + j * kWidth), high = load(b + j * kWidth + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Reg x = spread(a[r * a_stride + j]);
      sum[r][0] += x * low;
      sum[r][1] += x * high;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    store(c + r * c_stride, sum[r][0]);
    store(c + r * c_stride + kLanes, sum[r][1]);
  }
}

/// The same for any number of rows.
template <bool kAdd, int kRows = kTileRows>
void tiles(int64_t rows, const float* a, int64_t a_stride, const float* b, int64_t depth, float* c,
           int64_t c_stride) {
  while (rows >= kRows) {
    tile<kRows, kAdd>(a, a_stride, b, depth, c, c_stride);
    a += kRows * a_stride;
    c += kRows * c_stride;
    rows -= kRows;
  }
  if constexpr (kRows > 1) tiles<kAdd, kRows - 1>(rows, a, a_stride, b, depth, c, c_stride);
}

}  // namespace
}  // namespace octet::cpu
