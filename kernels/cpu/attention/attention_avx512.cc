// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "kernels/cpu/attention/attention_block.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,fma,prefer-vector-width=512")

namespace octet::cpu {
namespace {
constexpr int kLanes = 16, kTileRows = 12;
}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/attention/attention-inl.h"

namespace octet::cpu {

const AttentionKernels& attention_kernels_avx512() {
  return kAttentionKernels;
}

}  // namespace octet::cpu
