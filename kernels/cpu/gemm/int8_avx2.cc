// Codes widened to 16 bits and vpmaddwd: exact, where u8 x s8 (vpmaddubsw) would saturate.
// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/cpu/gemm/int8_tile.h"

#pragma GCC target("avx2,fma")

namespace octet::cpu {
namespace {

struct Ops {
  static constexpr ScaleRow kScaleRow = nullptr;
  using Reg = __m256i;
  static constexpr int kGroup = 2, kLanes = 8, kVectors = 2, kMaxRows = 6, kChunk = 512;
  static constexpr int kStreams = 2, kChains = 4;
  static constexpr int32_t kOffset = 0;
  static Reg zero() { return _mm256_setzero_si256(); }
  static Reg weights(const int8_t* w) {
    return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(w)));
  }
  static Reg spread(int32_t x) { return _mm256_set1_epi32(x); }
  static Reg dot(Reg acc, Reg w, Reg x) { return _mm256_add_epi32(acc, _mm256_madd_epi16(w, x)); }
  static Reg add(Reg a, Reg b) { return _mm256_add_epi32(a, b); }
  static Reg load(const int32_t* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store(int32_t* p, Reg v) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), v); }
  /// Two codes as int16, the first in the low half.
  static int32_t encode(const int8_t* x) {
    return static_cast<int32_t>(static_cast<uint16_t>(x[0]) |
                                static_cast<uint32_t>(static_cast<uint16_t>(x[1])) << 16);
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/gemm/int8_tile-inl.h"

namespace octet::cpu {

const Int8Tile& int8_tile_avx2() {
  return kInt8Tile;
}

}  // namespace octet::cpu
