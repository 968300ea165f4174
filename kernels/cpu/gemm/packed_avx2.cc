// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/cpu/gemm/packed_block.h"

#pragma GCC target("avx2,fma")

namespace octet::cpu {
namespace {

constexpr int kLanes = 8, kTileRows = 6;

struct Ops {
  static constexpr int kFewRegisters = 8;
  static __m256 load8(const int8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  }
  static void load4(const uint8_t* p, __m256& low, __m256& high) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    const __m256i both = _mm256_cvtepu8_epi32(bytes), eight = _mm256_set1_epi32(8);
    const __m256i first = _mm256_and_si256(both, _mm256_set1_epi32(15));
    low = _mm256_cvtepi32_ps(_mm256_sub_epi32(first, eight));
    high = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(both, 4), eight));
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/gemm/packed-inl.h"

namespace octet::cpu {

const PackedKernels& packed_kernels_avx2() {
  return kPackedKernels;
}

}  // namespace octet::cpu
