// Values to INT8 codes. Conventions: kernels/cpu/quantize.h.
#pragma once
#include "kernels/cuda/common.cuh"

namespace octet::cuda {

/// The division is an IEEE one, so codes equal the CPU's for the same values.
__device__ inline int8_t code(float x, float scale) {
  if (scale != scale) return 0;
  const float v = rintf(__fdiv_rn(x, scale));
  if (v != v) return 0;
  return static_cast<int8_t>(fminf(fmaxf(v, -127.0f), 127.0f));
}

/// absmax / 127 from the bits of the largest magnitude, NaN and Inf ordering above all numbers.
__device__ inline float scale_of(unsigned top) {
  constexpr unsigned kInfinityBits = 0x7f800000u;
  if (top >= kInfinityBits) return __int_as_float(0x7fc00000);
  const float absmax = __uint_as_float(top);
  float scale = __fdiv_rn(absmax, 127.0f);
  if (scale == 0.0f) return 1.0f;
  while (__fdiv_rn(absmax, scale) > 127.5f) scale = __uint_as_float(__float_as_uint(scale) + 1);
  return scale;
}

/// code() for eight values at once without their divisions. x * (1 / scale), each rounded, is off
/// the rounded x / scale by less than 127.5 * 2^-22.5 < 2^-15, so both round to the same integer
/// unless the product is that near to a half: then, and beyond 127.5 - 2^-15, and for scales whose
/// reciprocal is not a normal number, and for NaN, the division decides.
class Coder {
 public:
  __device__ explicit Coder(float scale) {
    scale_ = scale;
    inverse_ = __fdiv_rn(1.0f, scale);
    plain_ = scale >= 0x1p-100f && scale <= 0x1p100f;
  }

  /// kRounder + code, in whose bits the low byte is the code.
  __device__ void steps(const float (&x)[8], float (&step)[8]) const {
    bool sure = plain_;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float product = __fmul_rn(x[i], inverse_);
      step[i] = __fadd_rn(product, kRounder);
      const float off = __fsub_rn(product, __fsub_rn(step[i], kRounder));
      sure = sure & (fabsf(off) <= 0.5f - 0x1p-15f) & (fabsf(product) <= 127.5f - 0x1p-15f);
    }
    if (__builtin_expect(sure, 1)) return;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      step[i] = __fadd_rn(static_cast<float>(code(x[i], scale_)), kRounder);
    }
  }

  /// The eight codes, the first in the lowest byte.
  __device__ uint2 codes(const float (&x)[8]) const {
    float step[8];
    steps(x, step);
    return make_uint2(pack(step), pack(step + 4));
  }

  /// scale * code, rounded once.
  __device__ void values(const float (&x)[8], float (&out)[8]) const {
    float step[8];
    steps(x, step);
#pragma unroll
    for (int i = 0; i < 8; ++i) out[i] = __fmul_rn(__fsub_rn(step[i], kRounder), scale_);
  }

 private:
  // Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits.
  static constexpr float kRounder = 12582912.0f;

  __device__ static unsigned pack(const float* step) {
    const unsigned low = __byte_perm(__float_as_uint(step[0]), __float_as_uint(step[1]), 0x0040);
    const unsigned high = __byte_perm(__float_as_uint(step[2]), __float_as_uint(step[3]), 0x0040);
    return __byte_perm(low, high, 0x5410);
  }

  float scale_, inverse_;
  bool plain_;
};

}  // namespace octet::cuda
