// Two by two accumulator tiles: each tile of x and of weights that is read feeds two products.
#include "kernels/cpu/gemm/int8_amx.h"

#include <immintrin.h>

#include <algorithm>

#include "kernels/cpu/gemm/amx_config.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,amx-tile,amx-int8")

namespace octet::cpu {
namespace {

constexpr int kColumns = 32, kTileRows = kAmxTileRows;
constexpr int kGroupBytes = kColumns * 4;

/// acc[32][32] = x[32, k] * panel.
void product(const int8_t* x, int64_t k, const int8_t* panel, int32_t* acc) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const int8_t* below = x + kTileRows * k;
  for (int64_t j = 0; j < k; j += kAmxDepth) {
    const int8_t* w = panel + j / 4 * kGroupBytes;
    _tile_loadd(4, x + j, k);
    _tile_loadd(6, w, kGroupBytes);
    _tile_loadd(7, w + 64, kGroupBytes);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(5, below + j, k);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  constexpr int kStride = kColumns * static_cast<int>(sizeof(int32_t));
  _tile_stored(0, acc, kStride);
  _tile_stored(1, acc + 16, kStride);
  _tile_stored(2, acc + kTileRows * kColumns, kStride);
  _tile_stored(3, acc + kTileRows * kColumns + 16, kStride);
}

// The forms with explicit rounding: the compiler may not contract them into multiply-add, so the
// bits are those of the other levels.
constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

void scale_row(const AmxCall& call, const int32_t* acc, int64_t row, int64_t column) {
  const __m512 scale = _mm512_set1_ps(call.row_scale[call.per_row ? row : 0]);
  for (int64_t c = 0; c < kColumns && column + c < call.n; c += 16) {
    const int64_t left = call.n - column - c;
    const __mmask16 mask = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
    const __m512 sum = _mm512_maskz_cvt_roundepi32_ps(mask, _mm512_load_si512(acc + c), kNearest);
    const __m512 factor = _mm512_maskz_loadu_ps(mask, call.col_scale + column + c);
    __m512 v = _mm512_maskz_mul_round_ps(mask, sum, scale, kNearest);
    v = _mm512_maskz_mul_round_ps(mask, v, factor, kNearest);
    if (call.bias != nullptr) {
      const __m512 bias = _mm512_maskz_loadu_ps(mask, call.bias + column + c);
      v = _mm512_maskz_add_round_ps(mask, v, bias, kNearest);
    }
    _mm512_mask_storeu_ps(call.y + row * call.n + column + c, mask, v);
  }
}

}  // namespace

void amx_panel(const AmxCall& call, const int8_t* panel, int64_t column, int64_t first,
               int64_t last) {
  alignas(64) int32_t acc[kAmxRows * kColumns];
  _tile_loadconfig(&kAmxConfig);
  for (int64_t row = first; row < last; row += kAmxRows) {
    const int64_t start = std::min(row, last - kAmxRows);
    product(call.x + start * call.k, call.k, panel, acc);
    for (int64_t r = row; r < std::min(row + kAmxRows, last); ++r) {
      scale_row(call, acc + (r - start) * kColumns, r, column);
    }
  }
  _tile_release();
}

}  // namespace octet::cpu
