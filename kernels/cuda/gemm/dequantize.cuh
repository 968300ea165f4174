// Codes to 16-bit floats in registers.
#pragma once
#include "kernels/cuda/common.cuh"

namespace octet::cuda {

template <typename V>
__device__ inline uint32_t bits_of(V v) {
  return *reinterpret_cast<uint32_t*>(&v);
}
template <typename V>
__device__ inline V as(uint32_t bits) {
  return *reinterpret_cast<V*>(&bits);
}

/// INT8 codes to 16-bit floats, exactly: codes 0 and 1 of four for `high` false, 2 and 3 for true.
/// A code with its top bit flipped is code + 128, and as the low byte of 0x6400 the half 1024 + 128
/// + code.
__device__ inline uint32_t dequantize(__half, uint32_t codes, bool high) {
  const uint32_t bits = __byte_perm(codes ^ 0x80808080u, 0x64646464u, high ? 0x4342 : 0x4140);
  const __half2 v = *reinterpret_cast<const __half2*>(&bits);
  return bits_of(__hsub2(v, __floats2half2_rn(1152.0f, 1152.0f)));
}

/// bfloat16 holds 7 bits behind 0x4300 (128): the low 7 bits of a code give 128 + (code mod 128),
/// and its sign bit turns the 128 to be subtracted into 256.
__device__ inline uint32_t dequantize(__nv_bfloat16, uint32_t codes, bool high) {
  const uint32_t bits = __byte_perm(codes, 0x43434343u, high ? 0x4342 : 0x4140);
  const uint32_t size = bits & 0xff7fff7fu, offset = bits & 0xff80ff80u;
  return bits_of(__hsub2(*reinterpret_cast<const __nv_bfloat162*>(&size),
                         *reinterpret_cast<const __nv_bfloat162*>(&offset)));
}

/// (bits & mask) | base in one instruction; written in C++ it becomes two, of one constant each.
__device__ inline uint32_t masked_or(uint32_t bits, uint32_t mask, uint32_t base) {
  uint32_t v;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(v) : "r"(bits), "r"(mask), "r"(base));
  return v;
}

/// The 8 INT4 codes of a word (small_m_pack.cu), exact: pairs (0, 1) .. (6, 7). 0x6400 is the half
/// 1024, whose last bits count ones; nibbles 4 bits further up count 16ths of a multiplied-out 64.
__device__ inline void dequantize(__half, uint32_t word, uint32_t (&pairs)[4]) {
  const __half2 base = __floats2half2_rn(1032.0f, 1032.0f);
  const __half2 sixteenth = __floats2half2_rn(0.0625f, 0.0625f);
  const __half2 rest = __floats2half2_rn(-72.0f, -72.0f);
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint32_t part = word >> 8 * i;
    const uint32_t first = masked_or(part, 0x000f000fu, 0x64006400u);
    const uint32_t second = masked_or(part, 0x00f000f0u, 0x64006400u);
    pairs[2 * i] = bits_of(__hsub2(as<__half2>(first), base));
    pairs[2 * i + 1] = bits_of(__hfma2(as<__half2>(second), sixteenth, rest));
  }
}

/// 0x4300 is the bfloat16 128, whose last bits count ones.
__device__ inline void dequantize(__nv_bfloat16, uint32_t word, uint32_t (&pairs)[4]) {
  const __nv_bfloat162 base = __floats2bfloat162_rn(136.0f, 136.0f);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const uint32_t bits = masked_or(word >> 4 * i, 0x000f000fu, 0x43004300u);
    pairs[i] = bits_of(__hsub2(as<__nv_bfloat162>(bits), base));
  }
}

}  // namespace octet::cuda
