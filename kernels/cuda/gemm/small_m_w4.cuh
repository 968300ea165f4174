// Shared by the kernels of INT4 weights for few rows. Layout: small_m_pack.cu.
#pragma once
#include "kernels/cuda/gemm/dequantize.cuh"
#include "kernels/cuda/gemm/small_m.cuh"

namespace octet::cuda {

/// Two scales as one load brings them.
template <typename S>
struct Pair {
  uint32_t bits;
  __device__ static float value(uint32_t bits) {
    const auto half = static_cast<uint16_t>(bits);
    return to_float(*reinterpret_cast<const S*>(&half));
  }
  __device__ float top() const { return value(bits); }
  __device__ float low() const { return value(bits >> 16); }
};
template <>
struct Pair<float> {
  float2 values;
  __device__ float top() const { return values.x; }
  __device__ float low() const { return values.y; }
};

template <typename T>
__device__ inline void fragments(uint32_t top, uint32_t low, uint32_t (&a)[2][4]) {
  uint32_t t[4], l[4];
  dequantize(T{}, top, t);
  dequantize(T{}, low, l);
  a[0][0] = t[0], a[0][1] = l[0], a[0][2] = t[1], a[0][3] = l[1];
  a[1][0] = t[2], a[1][1] = l[2], a[1][2] = t[3], a[1][3] = l[3];
}

/// Up to how many rows launch_w4_stream() takes.
constexpr int64_t kStreamRows = 16;

/// w4a16_small_m on compute capability 9.0 (small_m_w4_stream.cu): a group is 32 << shift, k a
/// multiple of 32, all pointers aligned to 16 bytes. For T and S as w4a16_small_m has them.
template <typename T, typename S>
void launch_w4_stream(const T* x, const uint8_t* packed, const S* scales, int shift, int64_t k,
                      const Output& out, void* stream, bool overlap);

}  // namespace octet::cuda
