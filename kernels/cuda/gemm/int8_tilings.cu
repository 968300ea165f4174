#include "kernels/cuda/few_rows.h"
#include "kernels/cuda/gemm/int8_gemm.h"

namespace octet::cuda {

std::vector<Int8Tiling> sm80_tilings();
#ifdef OCTET_SM90_GEMM
std::vector<Int8Tiling> sm90_straight_tilings();
std::vector<Int8Tiling> sm90_few_tilings();
std::vector<Int8Tiling> sm90_ring_tilings();
#ifndef OCTET_FEW_GEMM_TILES
std::vector<Int8Tiling> sm90_swapped_tilings();
std::vector<Int8Tiling> sm90_split_tilings();
#endif
#endif

namespace {

bool run_few_rows(const Int8Gemm& g, int, void*, bool overlap, void* stream) {
  if (g.m > kFewRowsMost || (g.bias != nullptr && g.typed_bias == nullptr)) return false;
  w8a8_few_rows(g.x, g.row_scale, g.per_row, g.w, g.col_scale, g.typed_bias, g.type, g.m, g.n, g.k,
                g.y, stream, overlap);
  return true;
}

}  // namespace

const std::vector<Int8Tiling>& int8_tilings() {
  static const std::vector<Int8Tiling> all = [] {
    std::vector<Int8Tiling> out = {
        {"few rows", 80, 999, Int8Tiling::kNone, &no_workspace, &run_few_rows}};
    const auto add = [&out](const std::vector<Int8Tiling>& part) {
      out.insert(out.end(), part.begin(), part.end());
    };
    add(sm80_tilings());
#ifdef OCTET_SM90_GEMM
    add(sm90_straight_tilings());
    add(sm90_few_tilings());
    add(sm90_ring_tilings());
#ifndef OCTET_FEW_GEMM_TILES
    add(sm90_swapped_tilings());
    add(sm90_split_tilings());
#endif
#endif
    return out;
  }();
  return all;
}

}  // namespace octet::cuda
