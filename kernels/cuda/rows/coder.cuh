// Values to INT8 codes. Conventions: kernels/cpu/rows/quantize.h.
#pragma once
#include <type_traits>

#include "kernels/codebook.h"
#include "kernels/cuda/common.cuh"

namespace octet::cuda {

/// The division is an IEEE one, so codes equal the CPU's for the same values.
__device__ inline int8_t code(float x, float scale) {
  if (scale != scale) return 0;
  const float v = rintf(__fdiv_rn(x, scale));
  if (v != v) return 0;
  return static_cast<int8_t>(fminf(fmaxf(v, Int8Codes::kLow), Int8Codes::kHigh));
}

/// absmax / Int8Codes::kDivisor from the bits of the largest magnitude, NaN and Inf ordering above
/// all numbers.
__device__ inline float scale_of(unsigned top) {
  constexpr unsigned kInfinityBits = 0x7f800000u;
  if (top >= kInfinityBits) return __int_as_float(0x7fc00000);
  const float absmax = __uint_as_float(top);
  float scale = __fdiv_rn(absmax, Int8Codes::kDivisor);
  if (__builtin_expect(scale >= 0x1p-118f, 1)) return scale;
  if (scale == 0.0f) return 1.0f;
  constexpr float kReach = Int8Codes::kHigh + 0.5f;
  while (__fdiv_rn(absmax, scale) > kReach) scale = __uint_as_float(__float_as_uint(scale) + 1);
  return scale;
}

/// x / b rounded as by IEEE, from inverse = 1 / b rounded: where nothing overflows and no remainder
/// is lost. The product is off by less than 1.5 units in the last place, so after one correction by
/// its remainder it is one of the two neighbours of the quotient, after a second the nearer one
/// (Markstein 1990).
__device__ inline float quotient(float x, float b, float inverse) {
  float q = __fmul_rn(x, inverse);
  q = __fmaf_rn(__fmaf_rn(-b, q, x), inverse, q);
  return __fmaf_rn(__fmaf_rn(-b, q, x), inverse, q);
}

/// code() for eight values at once without divisions. kGiven: a scale from elsewhere, of any value;
/// else by scale_of() of values that hold these, so that all are numbers and no quotient is beyond
/// half a step above Int8Codes::kHigh, nor beyond a hundredth of one if the scale is above 2^-100.
/// Scales beyond 2^100 and their values go by 2^-100 first, those below 2^-100 by 2^100: a value
/// that loses digits by that, or whose remainder does, has code 0 either way.
template <bool kGiven, typename T>
class Coder {
 public:
  __device__ explicit Coder(float scale) {
    const float size = fabsf(scale);
    number_ = size <= 0x1.fffffep127f;
    scale_ = number_ ? scale : __int_as_float(0x7fc00000);
    if constexpr (kScales) unit_ = size < 0x1p-100f ? 0x1p100f : size > 0x1p100f ? 0x1p-100f : 1.0f;
    divisor_ = kScales ? __fmul_rn(scale_, unit_) : scale_;
    // By zero: any value but zero reaches the bound, that of the least float.
    if (kGiven && scale == 0.0f) divisor_ = copysignf(0x1p-49f / Int8Codes::kHigh, scale);
    inverse_ = __frcp_rn(divisor_);
    most_ = fabsf(__fmul_rn(divisor_, Int8Codes::kHigh));
  }

  /// The eight codes, the first in the lowest byte.
  __device__ uint2 codes(const float (&x)[8]) const {
    float step[8];
    steps(x, step);
    return number_ ? make_uint2(pack(step), pack(step + 4)) : make_uint2(0, 0);
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
  // Of the scales by scale_of(), those of halves lie between.
  static constexpr bool kScales = kGiven || !std::is_same_v<T, __half>;

  /// kRounder + code, in whose bits the low byte is the code.
  __device__ void steps(const float (&x)[8], float (&step)[8]) const {
    float v[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) v[i] = x[i];
    if (kGiven || (kScales && __builtin_expect(unit_ != 1.0f, 0))) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        v[i] = __fmul_rn(x[i], unit_);
        v[i] = v[i] != v[i] ? 0.0f : fminf(fmaxf(v[i], -most_), most_);
      }
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      step[i] = __fadd_rn(quotient(v[i], divisor_, inverse_), kRounder);
    }
  }

  __device__ static unsigned pack(const float* step) {
    const unsigned low = __byte_perm(__float_as_uint(step[0]), __float_as_uint(step[1]), 0x0040);
    const unsigned high = __byte_perm(__float_as_uint(step[2]), __float_as_uint(step[3]), 0x0040);
    return __byte_perm(low, high, 0x5410);
  }

  float scale_, divisor_, inverse_, most_, unit_ = 1.0f;
  bool number_;
};

}  // namespace octet::cuda
