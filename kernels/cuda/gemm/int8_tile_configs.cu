#include "kernels/cuda/gemm/int8_gemm.h"
#include "kernels/cuda/gemm/small_m.h"

namespace octet::cuda {

std::vector<Int8TileConfig> sm80_tile_configs();
#ifdef OCTET_SM90_GEMM
std::vector<Int8TileConfig> sm90_straight_tile_configs();
std::vector<Int8TileConfig> sm90_few_tile_configs();
std::vector<Int8TileConfig> sm90_ring_tile_configs();
#ifndef OCTET_FEW_GEMM_TILES
std::vector<Int8TileConfig> sm90_swapped_tile_configs();
std::vector<Int8TileConfig> sm90_split_tile_configs();
#endif
#endif

namespace {

bool run_small_m(const Int8Gemm& g, int, void*, bool overlap, void* stream) {
  if (g.m > kSmallMMost || (g.bias != nullptr && g.typed_bias == nullptr)) return false;
  w8a8_small_m(g.x, g.row_scale, g.per_row, g.w, g.col_scale, g.typed_bias, g.type, g.m, g.n, g.k,
               g.y, stream, overlap);
  return true;
}

}  // namespace

const std::vector<Int8TileConfig>& int8_tile_configs() {
  static const std::vector<Int8TileConfig> all = [] {
    std::vector<Int8TileConfig> out = {
        {"few rows", 80, 999, Int8TileConfig::kNone, &no_workspace, &run_small_m}};
    const auto add = [&out](const std::vector<Int8TileConfig>& part) {
      out.insert(out.end(), part.begin(), part.end());
    };
    add(sm80_tile_configs());
#ifdef OCTET_SM90_GEMM
    add(sm90_straight_tile_configs());
    add(sm90_few_tile_configs());
    add(sm90_ring_tile_configs());
#ifndef OCTET_FEW_GEMM_TILES
    add(sm90_swapped_tile_configs());
    add(sm90_split_tile_configs());
#endif
#endif
    return out;
  }();
  return all;
}

}  // namespace octet::cuda
