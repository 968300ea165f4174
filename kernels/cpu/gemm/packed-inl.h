// PackedKernels over `Ops`, which the including file defines before: kFewRegisters (vectors of sums
// that `few` keeps), and the static functions load8 (kLanes INT8 codes -> Reg) and load4 (kLanes
// bytes -> codes of the low and of the high halves). Internal linkage: each including file gets its
// own copy.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/cpu/gemm/packed_block.h"
#include "kernels/cpu/gemm/tile-inl.h"

namespace octet::cpu {
namespace {

constexpr int kVectors = kPanelColumns / kLanes;
constexpr int kSmallM = std::clamp(Ops::kFewRegisters / kVectors, 1, kMostSmallM);
// As in int8_tile-inl.h.
constexpr int64_t kPrefetchBytes = 1024;

/// Two neighbouring steps of k of kLanes columns.
template <int kBits>
[[gnu::always_inline]] inline void load_pair(const uint8_t* codes, int64_t pair, int64_t column,
                                             Reg& even, Reg& odd) {
  if constexpr (kBits == 8) {
    const auto* row = reinterpret_cast<const int8_t*>(codes) + 2 * pair * kPanelColumns + column;
    even = Ops::load8(row);
    odd = Ops::load8(row + kPanelColumns);
  } else {
    Ops::load4(codes + pair * kPanelColumns + column, even, odd);
  }
}

/// Adds one group of k to sums [kPanels][kRows][32].
template <int kBits, int kRows, int kPanels>
void few_group(const PackedPanel& first, int64_t g, const float* x, float* sums) {
  const int64_t next = first.code_bytes(first.k), steps = first.group;
  const uint8_t* codes = first.codes + first.code_bytes(g * steps);
  x += g * steps;
  Reg sum[kPanels][kRows][kVectors] = {};
  int64_t i = 0;
  for (; i < steps / 2; ++i) {
#pragma GCC unroll 16
    for (int p = 0; p < kPanels; ++p) {
      const uint8_t* panel = codes + p * next;
      __builtin_prefetch(panel + i * kPanelColumns * kBits / 4 + kPrefetchBytes);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        Reg even, odd;
        load_pair<kBits>(panel, i, v * kLanes, even, odd);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          sum[p][r][v] += spread(x[r * first.k + 2 * i]) * even;
          sum[p][r][v] += spread(x[r * first.k + 2 * i + 1]) * odd;
        }
      }
    }
  }
  if (kBits == 8 && steps % 2 != 0) {
    for (int p = 0; p < kPanels; ++p) {
      const auto* row =
          reinterpret_cast<const int8_t*>(codes + p * next) + (steps - 1) * kPanelColumns;
      for (int v = 0; v < kVectors; ++v) {
        for (int r = 0; r < kRows; ++r) {
          sum[p][r][v] += spread(x[r * first.k + steps - 1]) * Ops::load8(row + v * kLanes);
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < kPanels; ++p) {
    const float* scales = first.scales + (p * first.groups() + g) * kPanelColumns;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        float* to = sums + (p * kRows + r) * kPanelColumns + v * kLanes;
        store(to, load(to) + sum[p][r][v] * load(scales + v * kLanes));
      }
    }
  }
}

constexpr int few_panels(int rows) {
  return std::clamp(Ops::kFewRegisters / (kVectors * rows), 1, kMostFewPanels);
}

using FewGroup = void (*)(const PackedPanel&, int64_t, const float*, float*);

template <int kBits, int... kIndex>
FewGroup few_group_of(int rows, bool several, std::integer_sequence<int, kIndex...>) {
  static constexpr FewGroup kSeveral[] = {few_group<kBits, kIndex + 1, few_panels(kIndex + 1)>...};
  static constexpr FewGroup kOne[] = {few_group<kBits, kIndex + 1, 1>...};
  return (several ? kSeveral : kOne)[rows - 1];
}

void few(const PackedPanel& first, int panels, const float* x, int rows, float* sums) {
  constexpr auto kIndices = std::make_integer_sequence<int, kSmallM>{};
  const FewGroup add = first.bits == 8 ? few_group_of<8>(rows, panels > 1, kIndices)
                                       : few_group_of<4>(rows, panels > 1, kIndices);
  std::fill_n(sums, panels * rows * kPanelColumns, 0.0f);
  for (int64_t g = 0; g < first.groups(); ++g) add(first, g, x, sums);
}

/// [32 / kWidth][count][kWidth]: the tiles' panels side by side.
template <int kBits>
void dequantize_steps(const PackedPanel& panel, int64_t first, int64_t count, float* out) {
  for (int64_t j = 0; j < count; j += 2) {
    const int64_t step = first + j;
    const bool pair = step + 1 < panel.k;
    // A group of its own ends on an even step, unless it is all of k.
    const float* scales = panel.scales + step / panel.group * kPanelColumns;
    for (int64_t column = 0; column < kPanelColumns; column += kLanes) {
      Reg even, odd = {};
      if (pair) {
        load_pair<kBits>(panel.codes, step / 2, column, even, odd);
      } else {
        even = Ops::load8(reinterpret_cast<const int8_t*>(panel.codes) + step * kPanelColumns +
                          column);
      }
      float* to = out + (column / kWidth * count + j) * kWidth + column % kWidth;
      const Reg scale = load(scales + column);
      store(to, even * scale);
      if (pair) store(to + kWidth, odd * scale);
    }
  }
}

void dequantize(const PackedPanel& panel, int64_t first, int64_t count, float* out) {
  (panel.bits == 8 ? dequantize_steps<8> : dequantize_steps<4>)(panel, first, count, out);
}

void multiply(const float* dequantized, int64_t count, const float* x, int64_t x_stride,
              int64_t rows, float* sums) {
  for (int64_t column = 0; column < kPanelColumns; column += kWidth) {
    tiles<true>(rows, x, x_stride, dequantized + column * count, count, sums + column,
                kPanelColumns);
  }
}

constexpr PackedKernels kPackedKernels = {
    kSmallM,
    {few_panels(1), few_panels(2), few_panels(3), few_panels(4)},
    few,
    dequantize,
    multiply};

}  // namespace
}  // namespace octet::cpu
