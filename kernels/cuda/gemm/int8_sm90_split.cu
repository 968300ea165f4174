#include "kernels/cuda/gemm/sm90.cuh"

namespace octet::cuda {

std::vector<Int8TileConfig> sm90_split_tile_configs() {
  return {
      Sm90Gemm<128, 64, 256, 1, 1, Cooperative, true, true>::tile_config(
          "sm90 128x64x256 1x1 cooperative swapped split"),
      Sm90Gemm<128, 128, 128, 1, 1, Cooperative, true, true>::tile_config(
          "sm90 128x128x128 1x1 cooperative swapped split"),
      Sm90Gemm<128, 256, 128, 1, 1, Cooperative, true, true>::tile_config(
          "sm90 128x256x128 1x1 cooperative swapped split"),
  };
}

}  // namespace octet::cuda
