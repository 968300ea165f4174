// W4A16 linear on the CPU: packed 4-bit weights, widened in registers, float32 accumulation.
#pragma once
#include <cstdint>

#include "kernels/cpu/scratch.h"

namespace octet::cpu {

/// INT4 weights in the order the kernel reads them: half a byte each plus one float32 scale a group.
class PackedInt4 {
 public:
  /// codes: int8 [n, k] in [-8, 7]; scales: float32 [n, k / group]. k is a multiple of group, group
  /// of 8.
  PackedInt4(const int8_t* codes, const float* scales, int64_t n, int64_t k, int64_t group);
  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  uint64_t bytes() const;  ///< held in memory

  /// y[m, n] = sum_k x[m, k] * q[n, k] * scale[n, k / group] + bias[n]; x float32 [m, k], y float32
  /// [m, n], bias may be null. Any m >= 0.
  void gemm(const float* x, int64_t m, const float* bias, float* y) const;
  /// Rows [first, first + rows) as float32 [rows, k].
  void widen(int64_t first, int64_t rows, float* out) const;

 private:
  int64_t n_, k_, group_;
  AlignedBuffer codes_, scales_;
};

}  // namespace octet::cpu
