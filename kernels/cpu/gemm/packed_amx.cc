// bfloat16 products of PackedWeights with AMX: two by two accumulator tiles, as in int8_amx.cc.
#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/gemm/amx_config.h"
#include "kernels/cpu/gemm/packed_block.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,amx-tile,amx-bf16")

namespace octet::cpu {
namespace {

constexpr int kStride = kPanelColumns * static_cast<int>(sizeof(float));
constexpr int kRowBytes = kBf16Depth * static_cast<int>(sizeof(uint16_t));
constexpr int64_t kStepX = kBf16Rows * kBf16Depth, kStepWeights = kBf16Depth * kPanelColumns;

// Sums of 16 rows (tiles 0 and 1) or of 32 (2 and 3, too).
void load_sums(const float* sums, bool add, bool below) {
  if (!add) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    return;
  }
  _tile_loadd(0, sums, kStride);
  _tile_loadd(1, sums + 16, kStride);
  if (!below) return;
  _tile_loadd(2, sums + kAmxTileRows * kPanelColumns, kStride);
  _tile_loadd(3, sums + kAmxTileRows * kPanelColumns + 16, kStride);
}

void store_sums(float* sums, bool below) {
  _tile_stored(0, sums, kStride);
  _tile_stored(1, sums + 16, kStride);
  if (!below) return;
  _tile_stored(2, sums + kAmxTileRows * kPanelColumns, kStride);
  _tile_stored(3, sums + kAmxTileRows * kPanelColumns + 16, kStride);
}

}  // namespace

// Configured for each block: another kernel's tiles, or none, may be there, and it costs little
// beside the products.
void amx_product(const uint16_t* x, const uint16_t* weights, int64_t steps, int64_t rows, bool add,
                 float* sums) {
  _tile_loadconfig(&kAmxConfig);
  const bool below = rows > kAmxTileRows;
  load_sums(sums, add, below);
  for (int64_t s = 0; s < steps; ++s, x += kStepX, weights += kStepWeights) {
    _tile_loadd(4, x, kRowBytes);
    _tile_loadd(6, weights, kStride);
    _tile_loadd(7, weights + kPanelColumns, kStride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if (!below) continue;
    _tile_loadd(5, x + kAmxTileRows * kBf16Depth, kRowBytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  store_sums(sums, below);
  _tile_release();
}

}  // namespace octet::cpu
