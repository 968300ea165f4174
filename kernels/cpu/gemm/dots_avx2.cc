// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/gemm/dots.h"

#pragma GCC target("avx2,fma,f16c")

namespace octet::cpu {
namespace {

struct Ops {
  using Reg = __m256;
  static constexpr int kLanes = 8, kRegisters = 16, kMaxRows = 4;
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store(float* p, Reg v) { _mm256_storeu_ps(p, v); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static float sum(Reg v) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/gemm/dots-inl.h"

namespace octet::cpu {

Dots dots_avx2() {
  return dots;
}

}  // namespace octet::cpu
