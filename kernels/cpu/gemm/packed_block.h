// The inner loops of PackedWeights, one set per CPU level. A panel is 32 neighbouring outputs.
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

inline constexpr int64_t kPanelColumns = 32;
inline constexpr int kMostSmallM = 4, kMostFewPanels = 4;

/// One panel of PackedWeights, zero-padded beyond n; the next panel lies behind it.
struct PackedPanel {
  const uint8_t* codes;
  const float* scales;  ///< [groups][32]
  int64_t k, group;
  int bits;
  int64_t groups() const { return k / group; }
  /// Bytes of the codes of k steps.
  int64_t code_bytes(int64_t steps) const { return steps * kPanelColumns * bits / 8; }
};

struct PackedKernels {
  int small_m;  ///< most rows of `few`
  /// Panels that one call of `few` takes for 1..small_m rows: weights that come from memory want
  /// several streams at once.
  int few_panels[kMostSmallM];
  /// sums [few_panels][rows][32] of x [rows, k]; `panels` is few_panels[rows - 1] or 1.
  void (*few)(const PackedPanel& first, int panels, const float* x, int rows, float* sums);
  /// Steps [first, first + count) of k, even numbers both unless at the end, as float32 times their
  /// scale, in the order that multiply reads.
  void (*dequantize)(const PackedPanel& panel, int64_t first, int64_t count, float* out);
  /// sums [rows][32] += x [rows, count] (rows x_stride apart) * dequantized.
  void (*multiply)(const float* dequantized, int64_t count, const float* x, int64_t x_stride,
                   int64_t rows, float* sums);
};

const PackedKernels& packed_kernels(Level level);
const PackedKernels& packed_kernels_portable();
const PackedKernels& packed_kernels_avx2();
const PackedKernels& packed_kernels_avx512();

/// Operands of the bfloat16 products come in steps of kBf16Depth along k, zero-padded:
///   x        bfloat16 [rows / kBf16Rows][steps][kBf16Rows][kBf16Depth]
///   weights  bfloat16 [steps][kBf16Depth / 2][32][2]
inline constexpr int64_t kBf16Depth = 32, kBf16Rows = 32;

/// Steps [first, first + count) of a panel (Level::kVnni only): INT8 codes as they are when there
/// is one group, else codes times scale, rounded.
void widen_bf16(const PackedPanel& panel, int64_t first, int64_t count, uint16_t* out);
/// One row of x, float32 [k], half to even; NaN stays NaN. out: its place in the first step.
void round_bf16(const float* x, int64_t k, uint16_t* out);

/// sums [kBf16Rows][32] = or += x * weights over `steps`; of the rows only the first `rows` matter.
using Bf16Product = void (*)(const uint16_t* x, const uint16_t* weights, int64_t steps,
                             int64_t rows, bool add, float* sums);
/// Where has_bf16().
void bf16_product(const uint16_t* x, const uint16_t* weights, int64_t steps, int64_t rows, bool add,
                  float* sums);
/// Where has_amx_bf16().
void amx_product(const uint16_t* x, const uint16_t* weights, int64_t steps, int64_t rows, bool add,
                 float* sums);

}  // namespace octet::cpu
