// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "kernels/cpu/attention/attention_block.h"

#pragma GCC target("avx2,fma")

namespace octet::cpu {
namespace {
constexpr int kLanes = 8, kTileRows = 6;
}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/attention/attention-inl.h"

namespace octet::cpu {

const AttentionKernels& attention_kernels_avx2() {
  return kAttentionKernels;
}

}  // namespace octet::cpu
