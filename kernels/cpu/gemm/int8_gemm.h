// W8A8 linear on the CPU: integer dot products, INT32 accumulation, one scaling pass in the
// epilogue.
#pragma once
#include <cstdint>
#include <memory>

#include "kernels/cpu/features.h"

namespace octet::cpu {

/// INT8 weights in the order the kernel reads them. Any n and k (padded inside). Codes -128..127.
class PackedInt8 {
 public:
  /// w: row-major [n, k].
  PackedInt8(const int8_t* w, int64_t n, int64_t k, Level level = best_level());
  ~PackedInt8();
  PackedInt8(PackedInt8&&) noexcept;
  PackedInt8& operator=(PackedInt8&&) noexcept;
  int64_t n() const;
  int64_t k() const;
  uint64_t bytes() const;  ///< held in memory
  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// y[m, n] = (sum_k x[m, k] * w[n, k]) * row_scale[m] * col_scale[n] + bias[n], float32 out.
/// x: int8 [m, k], Int8Codes (-128 allowed). row_scale: [m] when per_row, else [1]. bias may
/// be null. The sums are exact in INT32 for k <= 2^17 on every level, so all levels give the same
/// bits.
void int8_gemm(const PackedInt8& w, const int8_t* x, int64_t m, const float* row_scale,
               bool per_row, const float* col_scale, const float* bias, float* y);

}  // namespace octet::cpu
