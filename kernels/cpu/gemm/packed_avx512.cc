// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/cpu/gemm/packed_block.h"

// GCC 12 (bug 105593), as in dots_avx512.cc.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512vl,fma,prefer-vector-width=512")

namespace octet::cpu {
namespace {

constexpr int kLanes = 16, kTileRows = 12;

struct Ops {
  static constexpr int kFewRegisters = 16;
  static __m512 load8(const int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
  }
  /// A lane is chosen by the low four bits of an index.
  static void load4(const uint8_t* p, __m512& low, __m512& high) {
    const __m512 codes = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m512i index = _mm512_cvtepu8_epi32(bytes);
    low = _mm512_permutexvar_ps(index, codes);
    high = _mm512_permutexvar_ps(_mm512_srli_epi32(index, 4), codes);
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/gemm/packed-inl.h"

namespace octet::cpu {
namespace {

typedef uint32_t Bits __attribute__((vector_size(kLanes * sizeof(uint32_t))));

// The next chunk is fetched while this one is multiplied.
constexpr int64_t kAheadSteps = 16 * kBf16Depth;

/// Pairs [first, last) of steps of k, the even one in the low half. Of rounded values ties go up.
template <int kBits, bool kScaled>
void dequantize_pairs(const PackedPanel& panel, int64_t first, int64_t last, uint16_t* out) {
  for (int64_t i = first; i < last; ++i) {
    const float* scales = panel.scales + 2 * i / panel.group * kPanelColumns;
    __builtin_prefetch(panel.codes + panel.code_bytes(2 * i + kAheadSteps), 0, 2);
    for (int64_t column = 0; column < kPanelColumns; column += kLanes, out += 2 * kLanes) {
      Reg even, odd;
      load_pair<kBits>(panel.codes, i, column, even, odd);
      if (kScaled) {
        even *= load(scales + column);
        odd *= load(scales + column);
      }
      constexpr uint32_t kHalf = kScaled ? 0x8000u : 0;
      const Bits low = (__builtin_bit_cast(Bits, even) + kHalf) >> 16;
      const Bits both = low | ((__builtin_bit_cast(Bits, odd) + kHalf) & 0xffff0000u);
      __builtin_memcpy(out, &both, sizeof both);
    }
  }
}

/// The last step of an odd k, which has one group of INT8.
void dequantize_last(const PackedPanel& panel, uint16_t* out) {
  const auto* row = reinterpret_cast<const int8_t*>(panel.codes) + (panel.k - 1) * kPanelColumns;
  for (int64_t column = 0; column < kPanelColumns; column += kLanes) {
    const Bits low = __builtin_bit_cast(Bits, Reg(Ops::load8(row + column))) >> 16;
    __builtin_memcpy(out + 2 * column, &low, sizeof low);
  }
}

}  // namespace

void widen_bf16(const PackedPanel& panel, int64_t first, int64_t count, uint16_t* out) {
  constexpr int64_t kPairs = kBf16Depth / 2, kPair = 2 * kPanelColumns;
  const int64_t begin = first * kPairs, end = begin + count * kPairs;
  const int64_t whole = std::min(end, panel.k / 2);
  const bool scaled = panel.groups() > 1;
  (panel.bits == 8 ? scaled ? dequantize_pairs<8, true> : dequantize_pairs<8, false>
   : scaled ? dequantize_pairs<4, true>
                   : dequantize_pairs<4, false>)(panel, begin, whole, out);
  int64_t filled = whole;
  if (whole < end && panel.k % 2 != 0) dequantize_last(panel, out + (filled++ - begin) * kPair);
  std::fill(out + (filled - begin) * kPair, out + (end - begin) * kPair, uint16_t{0});
}

void round_bf16(const float* x, int64_t k, uint16_t* out) {
  for (int64_t first = 0; first < k; first += kBf16Depth, out += kBf16Rows * kBf16Depth) {
    const int64_t count = std::min(kBf16Depth, k - first);
    for (int64_t j = 0; j < count; ++j) {
      const float v = x[first + j];
      const uint32_t bits = __builtin_bit_cast(uint32_t, v);
      const uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u);
      out[j] = static_cast<uint16_t>(v == v ? rounded >> 16 : 0x7fc0u);
    }
    std::fill(out + count, out + kBf16Depth, uint16_t{0});
  }
}

const PackedKernels& packed_kernels_avx512() {
  return kPackedKernels;
}

}  // namespace octet::cpu
