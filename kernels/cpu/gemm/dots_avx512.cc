// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/gemm/dots.h"

// GCC 12 (bug 105593) takes the don't-care operand of its own conversions for an uninitialized
// value.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512vl,fma,f16c,prefer-vector-width=512")

namespace octet::cpu {
namespace {

struct Ops {
  using Reg = __m512;
  static constexpr int kLanes = 16, kRegisters = 32, kMaxRows = 6;
  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  static Reg load(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store(float* p, Reg v) { _mm512_storeu_ps(p, v); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static float sum(Reg v) {
    float lane[kLanes];
    _mm512_storeu_ps(lane, v);
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
    }
    return lane[0];
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/gemm/dots-inl.h"

namespace octet::cpu {

Dots dots_avx512() {
  return dots;
}

}  // namespace octet::cpu
