// vpdpbusd takes u8 x s8: activations are shifted by 128, and int8_gemm starts each sum at
// -128 * (column sum of the weights). The instruction wraps and does not saturate, so this is
// exact. Standard headers come before the pragma: their inline functions must stay runnable on any
// CPU.
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/cpu/gemm/int8_tile.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512vnni")

namespace octet::cpu {
namespace {

// The forms with explicit rounding: the compiler may not contract them into multiply-add, so the
// bits are those of the other levels.
constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

void scale_columns(const int32_t* acc, int64_t n, float row_scale, const float* col_scale,
                   const float* bias, float* y) {
  const __m512 scale = _mm512_set1_ps(row_scale);
  for (int64_t c = 0; c < n; c += 16) {
    const __mmask16 mask = n - c >= 16 ? 0xffff : static_cast<__mmask16>((1U << (n - c)) - 1);
    const __m512 sum = _mm512_maskz_cvt_roundepi32_ps(mask, _mm512_load_si512(acc + c), kNearest);
    __m512 v = _mm512_maskz_mul_round_ps(mask, sum, scale, kNearest);
    v = _mm512_maskz_mul_round_ps(mask, v, _mm512_maskz_loadu_ps(mask, col_scale + c), kNearest);
    if (bias != nullptr) {
      v = _mm512_maskz_add_round_ps(mask, v, _mm512_maskz_loadu_ps(mask, bias + c), kNearest);
    }
    _mm512_mask_storeu_ps(y + c, mask, v);
  }
}

struct Ops {
  static constexpr ScaleRow kScaleRow = scale_columns;
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

#include "kernels/cpu/gemm/int8_tile-inl.h"

namespace octet::cpu {

const Int8Tile& int8_tile_vnni() {
  return kInt8Tile;
}

}  // namespace octet::cpu
