#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "kernels/cpu/attention/attention_block.h"

namespace octet::cpu {
namespace {
constexpr int kLanes = 4, kTileRows = 4;
}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/attention/attention-inl.h"

namespace octet::cpu {

const AttentionKernels& attention_kernels_portable() {
  return kAttentionKernels;
}

const AttentionKernels& attention_kernels(Level level) {
  switch (level) {
    case Level::kVnni:
      return attention_kernels_avx512();
    case Level::kAvx2:
      return attention_kernels_avx2();
    default:
      return attention_kernels_portable();
  }
}

}  // namespace octet::cpu
