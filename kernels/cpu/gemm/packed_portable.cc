#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/cpu/gemm/packed_block.h"

namespace octet::cpu {
namespace {

constexpr int kLanes = 4, kTileRows = 4;

struct Ops {
  typedef float Four __attribute__((vector_size(16)));
  static constexpr int kFewRegisters = 8;
  static Four load8(const int8_t* p) {
    Four out;
    for (int i = 0; i < kLanes; ++i) out[i] = p[i];
    return out;
  }
  static void load4(const uint8_t* p, Four& low, Four& high) {
    for (int i = 0; i < kLanes; ++i) {
      low[i] = static_cast<float>((p[i] & 15) - 8);
      high[i] = static_cast<float>((p[i] >> 4) - 8);
    }
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/gemm/packed-inl.h"

namespace octet::cpu {

const PackedKernels& packed_kernels_portable() {
  return kPackedKernels;
}

const PackedKernels& packed_kernels(Level level) {
  switch (level) {
    case Level::kVnni:
      return packed_kernels_avx512();
    case Level::kAvx2:
      return packed_kernels_avx2();
    default:
      return packed_kernels_portable();
  }
}

}  // namespace octet::cpu
