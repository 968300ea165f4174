#include "kernels/cuda/gemm/int8_ring.cuh"

namespace octet::cuda {
namespace {

template <int kTokens, int kGroups, int kAtoms, int kStages, int kBlocks>
Int8TileConfig tile_config(const char* name) {
  return {name,
          90,
          90,
          Int8TileConfig::kRanks,
          &no_workspace,
          &ring::run_int8<ring::Shape<kTokens, kGroups, kAtoms, kStages, kBlocks>>};
}

}  // namespace

std::vector<Int8TileConfig> sm90_ring_tile_configs() {
  return {
      tile_config<16, 1, 2, 9, 1>("sm90 ring 64x16x256"),
      tile_config<16, 2, 1, 6, 2>("sm90 ring 128x16x128"),
#ifndef OCTET_FEW_GEMM_TILES
      tile_config<32, 1, 2, 8, 1>("sm90 ring 64x32x256"),
#endif
      tile_config<64, 1, 2, 6, 1>("sm90 ring 64x64x256"),
      tile_config<64, 2, 1, 4, 2>("sm90 ring 128x64x128"),
#ifndef OCTET_FEW_GEMM_TILES
      tile_config<128, 1, 2, 4, 1>("sm90 ring 64x128x256"),
      tile_config<128, 2, 1, 6, 1>("sm90 ring 128x128x128"),
      tile_config<256, 1, 1, 5, 1>("sm90 ring 64x256x128"),
      tile_config<256, 2, 1, 4, 1>("sm90 ring 128x256x128"),
#endif
  };
}

}  // namespace octet::cuda
