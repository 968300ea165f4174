// W8A8 GEMM for few tokens on Hopper: both operands come by TMA. Sums are integers, so any split of
// K gives the same bits.
#pragma once
#include "kernels/cuda/gemm/int8_gemm.h"
#include "kernels/cuda/gemm/ring_writer.cuh"

namespace octet::cuda::ring {

constexpr int kInt8Product = 32;  // K of a wgmma

template <int kTokens>
struct Int8Wgmma;
template <>
struct Int8Wgmma<16> : cute::SM90::GMMA::MMA_64x16x32_S32S8S8_SS_TN {};
template <>
struct Int8Wgmma<32> : cute::SM90::GMMA::MMA_64x32x32_S32S8S8_SS_TN {};
template <>
struct Int8Wgmma<64> : cute::SM90::GMMA::MMA_64x64x32_S32S8S8_SS_TN {};
template <>
struct Int8Wgmma<128> : cute::SM90::GMMA::MMA_64x128x32_S32S8S8_SS_TN {};
template <>
struct Int8Wgmma<256> : cute::SM90::GMMA::MMA_64x256x32_S32S8S8_SS_TN {};

template <typename S>
__device__ void bring_int8_tokens(const Memory<S>& memory, const CUtensorMap& tokens,
                                  const Part& part) {
  wait_for_dependency();
  bring<S, S::kTokens, S::kTokenAtoms>(memory, S::kWeightBytes, tokens, part, part.token_row,
                                       read_often_policy());
}

template <typename S, size_t... kIndex>
__device__ inline void multiply_int8(uint64_t a, uint64_t b, uint32_t (&acc)[S::kSums],
                                     std::index_sequence<kIndex...>) {
  Int8Wgmma<S::kTokens>::fma(a, b, acc[kIndex]...);
}

template <typename S>
__device__ void consume_int8(const Memory<S>& memory, int steps, uint32_t (&acc)[S::kSums]) {
  constexpr int kEach = kInt8Product / 16;  // a descriptor counts 16 bytes
  const int group = threadIdx.x / kGroupThreads;
  Place<S> at;
  for (int i = 0; i < steps; ++i) {
    barrier_wait(memory.full + at.stage, at.turn);
    cute::warpgroup_arrive();
#pragma unroll
    for (int atom = 0; atom < S::kAtoms; ++atom) {
      const uint64_t a = descriptor(memory.weights(at.stage) +
                                    (atom * S::kRows + group * kGroupRows) * kAtomBytes);
      const uint64_t b = descriptor(memory.tokens(at.stage) + atom * S::kTokens * kAtomBytes);
#pragma unroll
      for (int k = 0; k < kAtomBytes / kInt8Product; ++k) {
        multiply_int8<S>(a + k * kEach, b + k * kEach, acc, std::make_index_sequence<S::kSums>{});
      }
    }
    cute::warpgroup_commit_batch();
    cute::warpgroup_wait<1>();  // the step before has been read
    release_last(memory, at, i);
    at.advance(1);
  }
  cute::warpgroup_wait<0>();
#pragma unroll
  for (int i = 0; i < S::kSums; ++i) cute::warpgroup_fence_operand(acc[i]);
}

/// steps: of K in all.
template <typename S, typename T>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    int8_kernel(const __grid_constant__ CUtensorMap weights,
                const __grid_constant__ CUtensorMap tokens, const __grid_constant__ Result to,
                int steps, int ranks) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  run_block<S, T, uint32_t>(
      to, steps, ranks,
      [](const Memory<S>& memory, int own, uint32_t(&acc)[S::kSums]) {
        consume_int8(memory, own, acc);
      },
      [&](const Memory<S>& memory, const Part& part, int /*warp*/) {
        if (threadIdx.x == S::kConsumers) bring_weights(memory, weights, part);
        if (threadIdx.x == S::kConsumers + 32) bring_int8_tokens(memory, tokens, part);
      });
#endif
}

/// ranks: blocks that share a tile's K, 1 to 8.
template <typename S>
bool run_int8(const Int8Gemm& g, int ranks, void* /*workspace*/, bool overlap, void* stream) {
  if (!is_16_bit(g.type) || !takes<S>(g.m, g.n, g.k, ranks)) return false;
  CUtensorMap weights, tokens;
  if (!encode(weights, g.w, g.n, g.k, S::kRows) || !encode(tokens, g.x, g.m, g.k, S::kTokens)) {
    return false;
  }
  const Result to{
      g.row_scale,           g.per_row, g.col_scale, g.bias, nullptr, static_cast<int>(g.m),
      static_cast<int>(g.n), g.y};
  const auto kernel =
      g.type == Dtype::kF16 ? int8_kernel<S, __half> : int8_kernel<S, __nv_bfloat16>;
  return launch_ring<S>(kernel, g.m, g.n, ranks, overlap, stream, weights, tokens, to,
                        static_cast<int>(ceil_div(g.k, S::kStep)), ranks);
}

}  // namespace octet::cuda::ring
