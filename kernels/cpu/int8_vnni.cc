// vpdpbusd takes u8 x s8: activations are shifted by 128, and int8_gemm starts each sum at
// -128 * (column sum of the weights). The instruction wraps and does not saturate, so this is
// exact. Standard headers come before the pragma: their inline functions must stay runnable on any
// CPU.
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/cpu/int8_tile.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512vnni")

namespace octet::cpu {
namespace {

struct Ops {
  using Reg = __m512i;
  static constexpr int kGroup = 4, kLanes = 16, kVectors = 2, kMaxRows = 12, kChunk = 128;
  static constexpr int kStreams = 8, kChains = 8;
  static constexpr int32_t kOffset = 128;
  static Reg zero() { return _mm512_setzero_si512(); }
  static Reg weights(const int8_t* w) { return _mm512_load_si512(w); }
  static Reg spread(int32_t x) { return _mm512_set1_epi32(x); }
  static Reg dot(Reg acc, Reg w, Reg x) { return _mm512_dpbusd_epi32(acc, x, w); }
  static Reg add(Reg a, Reg b) { return _mm512_add_epi32(a, b); }
  static Reg load(const int32_t* p) { return _mm512_load_si512(p); }
  static void store(int32_t* p, Reg v) { _mm512_store_si512(p, v); }
  /// Four codes plus 128, as bytes.
  static int32_t encode(const int8_t* x) {
    uint32_t bytes;
    std::memcpy(&bytes, x, sizeof bytes);
    return static_cast<int32_t>(bytes ^ 0x80808080u);
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/int8_tile-inl.h"

namespace octet::cpu {

const Int8Tile& int8_tile_vnni() {
  return kInt8Tile;
}

}  // namespace octet::cpu
