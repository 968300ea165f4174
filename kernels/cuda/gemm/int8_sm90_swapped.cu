// Lets a kernel begin before the one ahead of it ends. CUTLASS 4.2 cannot compile it with stream-K.
#define CUTLASS_ENABLE_GDC_FOR_SM90 1
#include "kernels/cuda/gemm/sm90.cuh"

namespace octet::cuda {

std::vector<Int8TileConfig> sm90_swapped_tile_configs() {
  return {
      Sm90Gemm<128, 128, 128, 2, 1, Pingpong, true, false>::tile_config(
          "sm90 128x128x128 2x1 pingpong swapped"),
      Sm90Gemm<128, 256, 128, 2, 1, Cooperative, true, false>::tile_config(
          "sm90 128x256x128 2x1 cooperative swapped"),
      Sm90Gemm<256, 128, 128, 2, 1, Cooperative, true, false>::tile_config(
          "sm90 256x128x128 2x1 cooperative swapped"),
  };
}

}  // namespace octet::cuda
