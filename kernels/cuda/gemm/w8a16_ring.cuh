// INT8 weights and 16-bit float tokens, few of them, on Hopper: codes pass from the ring to
// registers, are dequantized there, exactly, and multiply as wgmma's A; float32 sums. A lane's four
// neighbouring codes serve columns of a product that are not neighbours (lane t of four: 2 t, 2 t +
// 1, 2 t + 8, 2 t
// + 9), so warps bring the tokens and lay each 16 k of theirs out in the same order.
#pragma once
#include <algorithm>

#include "kernels/cuda/gemm/dequantize.cuh"
#include "kernels/cuda/gemm/ring_writer.cuh"

namespace octet::cuda::ring {

constexpr int kWideProduct = 16;                      // K of a wgmma
constexpr int kProducts = kAtomBytes / kWideProduct;  // of an atom of weights

template <int kTokens, typename T>
struct WideWgmma;
#define OCTET_WIDE_WGMMA(tokens)                                                            \
  template <>                                                                               \
  struct WideWgmma<tokens, __half>                                                          \
      : cute::SM90::GMMA::MMA_64x##tokens##x16_F32F16F16_RS<cute::SM90::GMMA::Major::K,     \
                                                            cute::SM90::GMMA::Major::K> {}; \
  template <>                                                                               \
  struct WideWgmma<tokens, __nv_bfloat16>                                                   \
      : cute::SM90::GMMA::MMA_64x##tokens##x16_F32BF16BF16_RS<cute::SM90::GMMA::Major::K,   \
                                                              cute::SM90::GMMA::Major::K> {};
OCTET_WIDE_WGMMA(8)
OCTET_WIDE_WGMMA(16)
OCTET_WIDE_WGMMA(32)
OCTET_WIDE_WGMMA(64)
#undef OCTET_WIDE_WGMMA

/// 16-bit values [m, k].
struct WideTokens {
  const void* x;
  int m, k;
};

/// A run of 16 k of a token in a step, two pieces of 16 bytes.
template <typename S>
struct WideRun {
  static constexpr int kRuns = S::kStep / kWideProduct, kCount = S::kTokens * kRuns;
  static constexpr int kOfAtom = kAtomBytes / 2 / kWideProduct;
  int token, run;

  __device__ explicit WideRun(int i) : token(i / kRuns), run(i % kRuns) {}

  /// Zeros past the last token and the last k.
  __device__ void load(const WideTokens& from, const Part& part, int step, uint4 (&v)[2]) const {
    v[0] = v[1] = make_uint4(0, 0, 0, 0);
    const int k = step * S::kStep + run * kWideProduct, row = part.token_row + token;
    if (row >= from.m || k >= from.k) return;
    const auto* x = reinterpret_cast<const uint4*>(static_cast<const uint16_t*>(from.x) +
                                                   int64_t{row} * from.k + k);
    v[0] = x[0], v[1] = x[1];
  }

  /// Swizzled as TMA does. Lane t of the products has words 2 t and 2 t + 1 of the 8: they become
  /// pairs t and t + 4.
  __device__ void store(char* tokens, const uint4 (&v)[2]) const {
    char* const row = tokens + (run / kOfAtom * S::kTokens + token) * kAtomBytes;
    const int piece = run % kOfAtom * 2;
    *reinterpret_cast<uint4*>(row + (piece ^ token % 8) * 16) =
        make_uint4(v[0].x, v[0].z, v[1].x, v[1].z);
    *reinterpret_cast<uint4*>(row + ((piece + 1) ^ token % 8) * 16) =
        make_uint4(v[0].y, v[0].w, v[1].y, v[1].w);
  }
};

/// `warp` of kTokenWarps, which take turns at the steps.
template <typename S>
__device__ void bring_wide_tokens(const Memory<S>& memory, const WideTokens& tokens,
                                  const Part& part, int warp) {
  using Run = WideRun<S>;
  constexpr int kEach = Run::kCount / 32, kAtOnce = kEach < 4 ? kEach : 4;
  static_assert(S::kTokenWarps <= S::kStages);
  const int lane = threadIdx.x % 32;
  wait_for_dependency();
  Place<S> at;
  at.advance(warp);
  for (int i = warp; i < part.steps; i += S::kTokenWarps) {
#pragma unroll
    for (int first = 0; first < kEach; first += kAtOnce) {
      uint4 held[kAtOnce][2];
#pragma unroll
      for (int e = 0; e < kAtOnce; ++e) {
        Run(32 * (first + e) + lane).load(tokens, part, part.first + i, held[e]);
      }
      if (first == 0 && i >= S::kStages) barrier_wait(memory.empty + at.stage, at.turn ^ 1);
#pragma unroll
      for (int e = 0; e < kAtOnce; ++e) {
        Run(32 * (first + e) + lane).store(memory.tokens(at.stage), held[e]);
      }
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncwarp();
    if (lane == 0) barrier_arrive(memory.full + at.stage);
    at.advance(S::kTokenWarps);
  }
}

template <typename S, typename T, size_t... kIndex>
__device__ inline void multiply_wide(const uint32_t (&a)[4], uint64_t b, float (&acc)[S::kSums],
                                     std::index_sequence<kIndex...>) {
  WideWgmma<S::kTokens, T>::fma(a[0], a[1], a[2], a[3], b, acc[kIndex]...);
}

/// The products of one atom of the weights' K.
template <typename S, typename T>
__device__ inline void multiply_atom(const char* tokens, int atom,
                                     const uint32_t (&a)[kProducts][4], float (&acc)[S::kSums]) {
  constexpr int kEach = kWideProduct * 2 / 16;  // a descriptor counts 16 bytes
  cute::warpgroup_arrive();
#pragma unroll
  for (int p = 0; p < kProducts; ++p) {
    const uint64_t b = descriptor(tokens + (2 * atom + p / 4) * S::kTokens * kAtomBytes);
    multiply_wide<S, T>(a[p], b + p % 4 * kEach, acc, std::make_index_sequence<S::kSums>{});
  }
  cute::warpgroup_commit_batch();
}

/// Four 8 x 8 matrices of 16-bit elements, here pairs of codes: rows g and g + 8 of the warp's 16,
/// pieces 16 bytes wide of two neighbouring products.
__device__ inline void load_quantized_site(uint32_t address, uint32_t (&v)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
               : "r"(address)
               : "memory");
}

/// The A operands of an atom's products; `atom` is the shared memory of the warpgroup's rows.
template <typename T>
__device__ void dequantize_atom(uint32_t atom, uint32_t (&a)[kProducts][4]) {
  const int lane = threadIdx.x % 32;
  const int row = static_cast<int>(threadIdx.x / 32) % 4 * 16 + lane % 16;
#pragma unroll
  for (int p = 0; p < kProducts; p += 2) {
    uint32_t codes[4];
    load_quantized_site(atom + row * kAtomBytes + ((p + lane / 16) ^ row % 8) * 16, codes);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t(&to)[4] = a[p + half];
      to[0] = dequantize(T{}, codes[2 * half], false),
      to[1] = dequantize(T{}, codes[2 * half + 1], false);
      to[2] = dequantize(T{}, codes[2 * half], true),
      to[3] = dequantize(T{}, codes[2 * half + 1], true);
    }
  }
}

template <typename S, typename T>
__device__ void consume_wide(const Memory<S>& memory, int steps, float (&acc)[S::kSums]) {
  static_assert(S::kAtoms == 2, "registers of one atom are filled while the other's multiply");
  const int group = threadIdx.x / kGroupThreads;
  Place<S> at;
  for (int i = 0; i < steps; ++i) {
    barrier_wait(memory.full + at.stage, at.turn);
#pragma unroll
    for (int atom = 0; atom < S::kAtoms; ++atom) {
      uint32_t a[kProducts][4];
      dequantize_atom<T>(shared_address(memory.weights(at.stage)) +
                             (atom * S::kRows + group * kGroupRows) * kAtomBytes,
                         a);
      multiply_atom<S, T>(memory.tokens(at.stage), atom, a, acc);
      cute::warpgroup_wait<1>();  // the other atom's registers are free, the step before was read
      if (atom == 0) release_last(memory, at, i);
    }
    at.advance(1);
  }
  cute::warpgroup_wait<0>();
#pragma unroll
  for (int i = 0; i < S::kSums; ++i) cute::warpgroup_fence_operand(acc[i]);
}

/// steps: of K in all.
template <typename S, typename T>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    wide_kernel(const __grid_constant__ CUtensorMap weights, const WideTokens tokens,
                const __grid_constant__ Result to, int steps, int ranks) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  run_block<S, T, float>(
      to, steps, ranks,
      [](const Memory<S>& memory, int own, float(&acc)[S::kSums]) {
        consume_wide<S, T>(memory, own, acc);
      },
      [&](const Memory<S>& memory, const Part& part, int warp) {
        if (warp > 0) bring_wide_tokens(memory, tokens, part, warp - 1);
        if (threadIdx.x == S::kConsumers) bring_weights(memory, weights, part);
      });
#endif
}

/// As many blocks of a cluster as the processors leave room for, each with two steps at least.
template <typename S>
int ranks_for(int64_t m, int64_t n, int64_t k) {
  const int64_t processors = device_attribute(cudaDevAttrMultiProcessorCount);
  const int64_t tiles = ceil_div(n, S::kRows) * ceil_div(m, S::kTokens);
  const int64_t most = std::min<int64_t>(kMostRanks, ceil_div(k, S::kStep) / 2);
  return static_cast<int>(std::clamp<int64_t>(processors / tiles, 1, std::max<int64_t>(1, most)));
}

struct WideLinear {
  const void* x;
  const int8_t* w;
  const float* scale;
  const void* bias;
  Dtype type;
  int64_t m, n, k;
  void* y;
};

template <typename S>
bool run_wide(const WideLinear& g, bool overlap, void* stream) {
  const int ranks = ranks_for<S>(g.m, g.n, g.k);
  if (!is_16_bit(g.type) || !takes<S>(g.m, g.n, g.k, ranks)) return false;
  CUtensorMap weights;
  if (!encode(weights, g.w, g.n, g.k, S::kRows)) return false;
  const auto m = static_cast<int>(g.m), n = static_cast<int>(g.n), k = static_cast<int>(g.k);
  const Result to{nullptr, false, g.scale, nullptr, g.bias, m, n, g.y};
  const auto kernel =
      g.type == Dtype::kF16 ? wide_kernel<S, __half> : wide_kernel<S, __nv_bfloat16>;
  return launch_ring<S>(kernel, g.m, g.n, ranks, overlap, stream, weights, WideTokens{g.x, m, k},
                        to, static_cast<int>(ceil_div(k, S::kStep)), ranks);
}

}  // namespace octet::cuda::ring
