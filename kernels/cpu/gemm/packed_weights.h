// Weight-only linears on the CPU (W8A16, W4A16): packed integer weights, dequantized in registers
// or one panel at a time. No dequantized copy of a whole weight ever exists.
#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "kernels/cpu/gemm/packed_block.h"
#include "kernels/cpu/scratch.h"

namespace octet::cpu {

/// Arithmetic for many rows. kFloat: float32. kBf16, kAmx: activations rounded to bfloat16 (A16),
/// as are INT4 weights times their scale; INT8 codes are exact. All sums are float32.
enum class PackedRoute { kFloat, kBf16, kAmx };

/// The fastest route on this CPU.
PackedRoute best_packed_route();

/// Integer weights in the order the kernels read them.
class PackedWeights {
 public:
  /// codes: int8 [n, k] of `element`, which is I8 (any value) or I4 (two to a byte). scales:
  /// float32 [n, k / group]; k is a multiple of group, and group is even or k. Else an Error.
  PackedWeights(const int8_t* codes, const float* scales, int64_t n, int64_t k, int64_t group,
                Dtype element);
  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  uint64_t bytes() const { return codes_.size() + scales_.size(); }  ///< held in memory

  /// y[m, n] = sum_k x[m, k] * q[n, k] * scale[n, k / group] + bias[n]; x float32 [m, k], y float32
  /// [m, n], bias may be null. Any m >= 0. Small M is computed in float32 on every CPU.
  void gemm(const float* x, int64_t m, const float* bias, float* y) const;
  /// As above with a given route for many rows, which this CPU must have.
  void gemm(const float* x, int64_t m, const float* bias, float* y, PackedRoute route) const;

  /// Outputs [32 * p, 32 * p + 32), for the kernels and their tests.
  PackedPanel panel(int64_t p) const;

 private:
  struct Output;
  void small_m(const float* x, int64_t m, const Output& out) const;
  void float_rows(const float* x, int64_t m, const Output& out) const;
  void bf16_rows(const float* x, int64_t m, const Output& out, Bf16Product product) const;
  struct Bf16Rows;
  void bf16_task(const Bf16Rows& rows, int64_t row, int64_t first, int64_t last,
                 const Output& out) const;

  int64_t n_, k_, group_, panels_;
  Dtype element_;
  AlignedBuffer codes_;   // I8: int8 [panels][k][32]; I4: [panels][k / 2][32], a byte holds
                          // code + 8 of an even k in its low half and of the next in its high half
  AlignedBuffer scales_;  // float32 [panels][groups][32]
};

}  // namespace octet::cpu
