// Lets a kernel begin before the one ahead of it ends. CUTLASS 4.2 cannot compile it with stream-K.
#define CUTLASS_ENABLE_GDC_FOR_SM90 1
#include "kernels/cuda/gemm/sm90.cuh"

namespace octet::cuda {

std::vector<Int8TileConfig> sm90_few_tile_configs() {
  return {
      Sm90Gemm<64, 64, 256, 1, 1, Pingpong, true, false>::tile_config(
          "sm90 64x64x256 1x1 pingpong swapped"),
#ifndef OCTET_FEW_GEMM_TILES
      Sm90Gemm<64, 32, 256, 1, 1, Pingpong, true, false>::tile_config(
          "sm90 64x32x256 1x1 pingpong swapped"),
      Sm90Gemm<64, 128, 256, 1, 1, Pingpong, true, false>::tile_config(
          "sm90 64x128x256 1x1 pingpong swapped"),
#endif
  };
}

}  // namespace octet::cuda
