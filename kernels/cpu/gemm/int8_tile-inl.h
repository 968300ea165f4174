// Int8Tile over `Ops`, which the including file defines before: Reg, kGroup, kLanes (int32 of a
// Reg), kVectors (Regs of one panel), kMaxRows, kStreams, kChunk, kOffset, kChains (sums in flight
// that hide the latency of dot), kScaleRow (may be null), and the static functions zero, weights,
// spread, dot, add, load, store, encode. Internal linkage: each including file gets its own copy.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/cpu/gemm/int8_tile.h"

namespace octet::cpu {
namespace {

constexpr int kColumns = Ops::kLanes * Ops::kVectors;
constexpr int kGroupBytes = kColumns * Ops::kGroup;
static_assert(Ops::kMaxRows <= kMaxTileRows && kColumns <= kMaxTileColumns &&
              Ops::kStreams <= kMaxStreams);

/// kUnroll groups in flight, each with its own sums: few rows would otherwise wait for the adder.
template <int kRows, int kUnroll>
void run_tile(const int8_t* panel, const int32_t* x, int64_t groups, int32_t* acc) {
  typename Ops::Reg sum[kUnroll][kRows][Ops::kVectors];
#pragma GCC unroll 16
  for (int u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < Ops::kVectors; ++v) {
        sum[u][r][v] = u ? Ops::zero() : Ops::load(acc + r * kColumns + v * Ops::kLanes);
      }
    }
  }
  const auto step = [&](typename Ops::Reg(&into)[kRows][Ops::kVectors], int64_t g)
      __attribute__((always_inline)) {
    typename Ops::Reg w[Ops::kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < Ops::kVectors; ++v) {
      w[v] = Ops::weights(panel + g * kGroupBytes + v * Ops::kLanes * Ops::kGroup);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const typename Ops::Reg code = Ops::spread(x[g * kRows + r]);
#pragma GCC unroll 16
      for (int v = 0; v < Ops::kVectors; ++v) into[r][v] = Ops::dot(into[r][v], w[v], code);
    }
  };
  int64_t g = 0;
  for (; g + kUnroll <= groups; g += kUnroll) {
#pragma GCC unroll 16
    for (int u = 0; u < kUnroll; ++u) step(sum[u], g + u);
  }
  for (; g < groups; ++g) step(sum[0], g);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < Ops::kVectors; ++v) {
#pragma GCC unroll 16
      for (int u = 1; u < kUnroll; ++u) sum[0][r][v] = Ops::add(sum[0][r][v], sum[u][r][v]);
      Ops::store(acc + r * kColumns + v * Ops::kLanes, sum[0][r][v]);
    }
  }
}

template <int kRows>
constexpr int kTileUnroll = std::max(1, Ops::kChains / (kRows * Ops::kVectors));

using RunTile = void (*)(const int8_t*, const int32_t*, int64_t, int32_t*);

template <int... kIndex>
void run_rows(int rows, const int8_t* panel, const int32_t* x, int64_t groups, int32_t* acc,
              std::integer_sequence<int, kIndex...>) {
  static constexpr RunTile kTable[] = {run_tile<kIndex + 1, kTileUnroll<kIndex + 1>>...};
  kTable[rows - 1](panel, x, groups, acc);
}

void run(int rows, const int8_t* panel, const int32_t* x, int64_t groups, int32_t* acc) {
  run_rows(rows, panel, x, groups, acc, std::make_integer_sequence<int, Ops::kMaxRows>{});
}

// The hardware follows a stream only to the end of its page, and one stream does not fill the line
// buffers.
constexpr int64_t kPrefetchBytes = 512;

template <int kPanels>
void run_streams(const int8_t* panel, const int32_t* x, int64_t groups, int32_t* acc) {
  constexpr int kRegs = Ops::kVectors * kPanels;
  typename Ops::Reg sum[kRegs];
#pragma GCC unroll 16
  for (int i = 0; i < kRegs; ++i) sum[i] = Ops::load(acc + i * Ops::kLanes);
  for (int64_t g = 0; g < groups; ++g) {
    const typename Ops::Reg code = Ops::spread(x[g]);
#pragma GCC unroll 16
    for (int i = 0; i < kRegs; ++i) {
      const int8_t* w = panel + (i / Ops::kVectors * groups + g) * kGroupBytes +
                        i % Ops::kVectors * Ops::kLanes * Ops::kGroup;
      __builtin_prefetch(w + kPrefetchBytes);
      sum[i] = Ops::dot(sum[i], Ops::weights(w), code);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRegs; ++i) Ops::store(acc + i * Ops::kLanes, sum[i]);
}

template <int kPanels = Ops::kStreams>
void run_row(int panels, const int8_t* panel, const int32_t* x, int64_t groups, int32_t* acc) {
  if constexpr (kPanels > 1) {
    if (panels < kPanels) return run_row<kPanels / 2>(panels, panel, x, groups, acc);
  }
  run_streams<kPanels>(panel, x, groups, acc);
}

void pack_x(const int8_t* x, int64_t k, int rows, int32_t* packed) {
  const int64_t whole = k / Ops::kGroup;
  const int left = static_cast<int>(k % Ops::kGroup);
  for (int r = 0; r < rows; ++r) {
    const int8_t* row = x + r * k;
    for (int64_t g = 0; g < whole; ++g) packed[g * rows + r] = Ops::encode(row + g * Ops::kGroup);
    if (left == 0) continue;
    int8_t last[Ops::kGroup] = {};
    for (int i = 0; i < left; ++i) last[i] = row[whole * Ops::kGroup + i];
    packed[whole * rows + r] = Ops::encode(last);
  }
}

constexpr Int8Tile kInt8Tile = {Ops::kGroup, kColumns, Ops::kMaxRows, Ops::kChunk, Ops::kOffset,
                                pack_x,      run,      Ops::kStreams, run_row<>,   Ops::kScaleRow};

}  // namespace
}  // namespace octet::cpu
