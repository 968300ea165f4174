// Eight neighbouring elements in registers, as they lie in memory: the unit in which the row and
// elementwise kernels read and write. Needs 16-byte alignment.
#pragma once
#include "kernels/cuda/common.cuh"

namespace octet::cuda {

template <typename T>
struct alignas(16) Vec8 {
  static constexpr int kWords = sizeof(T) * 2;
  uint32_t word[kWords];
};

template <typename T>
__device__ inline Vec8<T> load8(const T* from) {
  Vec8<T> v;
#pragma unroll
  for (int i = 0; i < Vec8<T>::kWords; i += 4) {
    const uint4 part = reinterpret_cast<const uint4*>(from)[i / 4];
    v.word[i] = part.x, v.word[i + 1] = part.y, v.word[i + 2] = part.z, v.word[i + 3] = part.w;
  }
  return v;
}

/// For what no kernel writes meanwhile.
template <typename T>
__device__ inline Vec8<T> load8_constant(const T* from) {
  Vec8<T> v;
#pragma unroll
  for (int i = 0; i < Vec8<T>::kWords; i += 4) {
    const uint4 part = __ldg(reinterpret_cast<const uint4*>(from) + i / 4);
    v.word[i] = part.x, v.word[i + 1] = part.y, v.word[i + 2] = part.z, v.word[i + 3] = part.w;
  }
  return v;
}

template <typename T>
__device__ inline void store8(T* to, const Vec8<T>& v) {
#pragma unroll
  for (int i = 0; i < Vec8<T>::kWords; i += 4) {
    reinterpret_cast<uint4*>(to)[i / 4] =
        make_uint4(v.word[i], v.word[i + 1], v.word[i + 2], v.word[i + 3]);
  }
}

__device__ inline void widen2(uint32_t word, __half, float* out) {
  const float2 two = __half22float2(*reinterpret_cast<const __half2*>(&word));
  out[0] = two.x, out[1] = two.y;
}
__device__ inline void widen2(uint32_t word, __nv_bfloat16, float* out) {
  out[0] = __uint_as_float(word << 16), out[1] = __uint_as_float(word & 0xffff0000u);
}

template <typename T>
__device__ inline void widen8(const Vec8<T>& v, float (&out)[8]) {
  if constexpr (sizeof(T) == 4) {
#pragma unroll
    for (int i = 0; i < 8; ++i) out[i] = __uint_as_float(v.word[i]);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) widen2(v.word[i], T{}, out + 2 * i);
  }
}

__device__ inline uint32_t narrow2(float a, float b, __half) {
  const __half2 two = __floats2half2_rn(a, b);
  return *reinterpret_cast<const uint32_t*>(&two);
}
__device__ inline uint32_t narrow2(float a, float b, __nv_bfloat16) {
  const __nv_bfloat162 two = __floats2bfloat162_rn(a, b);
  return *reinterpret_cast<const uint32_t*>(&two);
}

/// Products of two pairs, rounded to T.
__device__ inline uint32_t multiply2(uint32_t a, uint32_t b, __half) {
  const __half2 two =
      __hmul2(*reinterpret_cast<const __half2*>(&a), *reinterpret_cast<const __half2*>(&b));
  return *reinterpret_cast<const uint32_t*>(&two);
}
__device__ inline uint32_t multiply2(uint32_t a, uint32_t b, __nv_bfloat16) {
  const __nv_bfloat162 two = __hmul2(*reinterpret_cast<const __nv_bfloat162*>(&a),
                                     *reinterpret_cast<const __nv_bfloat162*>(&b));
  return *reinterpret_cast<const uint32_t*>(&two);
}

/// Rounded to T, half to even.
template <typename T>
__device__ inline Vec8<T> narrow8(const float (&x)[8]) {
  Vec8<T> v;
  if constexpr (sizeof(T) == 4) {
#pragma unroll
    for (int i = 0; i < 8; ++i) v.word[i] = __float_as_uint(x[i]);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) v.word[i] = narrow2(x[2 * i], x[2 * i + 1], T{});
  }
  return v;
}

/// Maxima of two unsigned halves at once.
__device__ inline uint32_t max_halves(uint32_t a, uint32_t b) {
#if __CUDA_ARCH__ >= 900
  asm("max.u16x2 %0, %0, %1;" : "+r"(a) : "r"(b));
  return a;
#else
  return __vmaxu2(a, b);
#endif
}

/// The largest magnitude seen, NaN and Inf ordering above all numbers as their bits do.
template <typename T>
class Magnitude {
 public:
  __device__ void add(const Vec8<T>& v) {
#pragma unroll
    for (int i = 0; i < Vec8<T>::kWords; ++i) add_word(v.word[i]);
  }
  /// As bits of a float.
  __device__ unsigned bits() const {
    if constexpr (sizeof(T) == 4) return top_;
    const auto of_two = static_cast<unsigned short>(max(top_ & 0xffffu, top_ >> 16));
    return __float_as_uint(to_float(*reinterpret_cast<const T*>(&of_two))) & 0x7fffffffu;
  }

 private:
  __device__ void add_word(uint32_t word) {
    if constexpr (sizeof(T) == 4) {
      top_ = max(top_, word & 0x7fffffffu);
    } else {
      top_ = max_halves(top_, word & 0x7fff7fffu);
    }
  }
  unsigned top_ = 0;
};

}  // namespace octet::cuda
