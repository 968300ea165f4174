// What Hopper's kernels for few tokens share: they are bound by the bytes of the weights. Weight
// rows are the M of wgmma (64 a warpgroup), tokens its N. A producer warp brings the weights (TMA,
// 128-byte swizzle) through a ring in shared memory, others the tokens. The weights of the ring's
// first turn come before the kernel ahead has ended; deep rings pay more than room for a second
// block on an SM. The blocks of a cluster may share a tile's K: they add their sums through
// distributed shared memory.
#pragma once
#include <cuda.h>
#include <cutlass/cutlass.h>
#include <cute/arch/mma_sm90.hpp>
#include <cute/arch/mma_sm90_gmma.hpp>

#include <type_traits>
#include <utility>

#include "kernels/cuda/barrier.cuh"
#include "kernels/cuda/common.cuh"

namespace octet::cuda::ring {

constexpr int kAtomBytes = 128;  // of a row: what one swizzle spans
constexpr int kGroupRows = 64, kGroupThreads = 128;
constexpr int kMostRanks = 8;  // blocks of a cluster

/// kTokens of the N, kGroups warpgroups of 64 weight rows, steps of kAtoms x 128 of K, kStages of
/// them in flight, kBlocks blocks an SM has room for; kTokenSize bytes an element of the tokens,
/// which kTokenWarps warps bring.
template <int kTokens_, int kGroups_, int kAtoms_, int kStages_, int kBlocks_, int kTokenSize_ = 1,
          int kTokenWarps_ = 1>
struct Shape {
  static constexpr int kTokens = kTokens_, kGroups = kGroups_, kAtoms = kAtoms_;
  static constexpr int kStages = kStages_, kBlocks = kBlocks_;
  static constexpr int kTokenWarps = kTokenWarps_, kTokenAtoms = kTokenSize_ * kAtoms;  // of a step
  static constexpr int kRows = kGroupRows * kGroups, kStep = kAtoms * kAtomBytes;
  static constexpr int kConsumers = kGroupThreads * kGroups;
  static constexpr int kThreads = kConsumers + 32 + 32 * kTokenWarps;
  static constexpr int kWeightBytes = kRows * kStep;
  static constexpr int kTokenBytes = kTokens * kTokenAtoms * kAtomBytes;
  static constexpr int kStageBytes = kWeightBytes + kTokenBytes;
  static constexpr int kSums = kTokens / 2;  // of a thread: [kTokens / 8][2 rows][2 tokens]
  static constexpr int kRingBytes = kStages * kStageBytes;
  static constexpr int kAlignment = 1024;
  static constexpr int kBytes = kAlignment + kRingBytes + 16 * kStages + 4 * kTokens;
  // The ring's memory afterwards: sums of the cluster's blocks (add_and_write), then values
  // [tokens][kRows], each row padded by 16 bytes, so that a warp's writes hit all banks.
  static constexpr int kValueRow = 2 * kRows + 16;
  static_assert(kRingBytes >= kTokens * kValueRow);
};

/// Of add_and_write(), however many blocks share a tile's K.
template <typename S>
constexpr int cluster_bytes() {
  int most = 0;
  for (int r = 2; r <= kMostRanks; ++r) {
    const int slots = (S::kTokens / 8 + r - 1) / r;
    const int bytes = slots * (8 * S::kValueRow + r * 16 * S::kConsumers);
    if (bytes > most) most = bytes;
  }
  return most;
}

/// `steps` of K from `first` on, of the tiles of weights and of tokens at these rows.
struct Part {
  int first, steps, weight_row, token_row;
};

/// The part of this block: clusters of `ranks` blocks along x, tiles of tokens along y.
template <typename S>
__device__ inline Part part_of(int steps, int ranks) {
  const int rank = static_cast<int>(blockIdx.x) % ranks;
  const auto begin_of = [&](int r) { return static_cast<int>(int64_t{steps} * r / ranks); };
  return {begin_of(rank), begin_of(rank + 1) - begin_of(rank),
          static_cast<int>(blockIdx.x) / ranks * S::kRows,
          static_cast<int>(blockIdx.y) * S::kTokens};
}

template <typename S>
struct Memory {
  char* ring;
  uint64_t *full, *empty;  // [kStages]: the copies have arrived; the products have read
  float* token_scale;      // [kTokens]

  __device__ explicit Memory(char* raw) {
    ring = raw + (-shared_address(raw) & 1023u);
    full = reinterpret_cast<uint64_t*>(ring + S::kRingBytes);
    empty = full + S::kStages;
    token_scale = reinterpret_cast<float*>(empty + S::kStages);
  }
  __device__ char* weights(int stage) const { return ring + stage * S::kStageBytes; }
  __device__ char* tokens(int stage) const { return weights(stage) + S::kWeightBytes; }
};

/// Which stage of the ring a step takes, and the parity of its turn.
template <typename S>
struct Place {
  int stage = 0, turn = 0;
  __device__ void advance(int steps) {
    stage += steps;
    if (stage >= S::kStages) stage -= S::kStages, turn ^= 1;
  }
};

__device__ inline void fetch(void* to, const CUtensorMap& map, int k, int row, uint64_t* barrier,
                             uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(k), "r"(row), "l"(policy)
      : "memory");
}

__device__ inline uint64_t read_often_policy() {
  uint64_t policy;
  asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

/// A matrix of rows of 128 bytes in shared memory, swizzled by 128 bytes: eight rows are 1,024
/// bytes (PTX, matrix descriptor of wgmma).
__device__ inline uint64_t descriptor(const void* p) {
  return uint64_t{(shared_address(p) & 0x3ffff) >> 4} | uint64_t{1} << 16 | uint64_t{64} << 32 |
         uint64_t{1} << 62;
}

/// All threads of the cluster.
__device__ inline void meet_cluster() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}
/// The threads that multiply.
template <typename S>
__device__ inline void consumers_meet() {
  asm volatile("bar.sync 1, %0;" ::"n"(S::kConsumers) : "memory");
}
__device__ inline void launch_dependents() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}
__device__ inline void wait_for_dependency() {
  asm volatile("griddepcontrol.wait;" ::: "memory");
}

/// One thread, before all others meet it.
template <typename S>
__device__ inline void init_barriers(const Memory<S>& memory) {
  for (int s = 0; s < S::kStages; ++s) {
    barrier_init(memory.full + s, 2);  // who brings the weights, who the tokens
    barrier_init(memory.empty + s, S::kConsumers / 32);
  }
  fence_barriers();
}

/// One operand of a step, kRows rows from `row` on; one thread.
template <int kRows, int kAtoms>
__device__ inline void fetch_step(char* to, const CUtensorMap& map, int step, int row,
                                  uint64_t* full, uint64_t policy) {
  barrier_expect(full, kRows * kAtoms * kAtomBytes);
#pragma unroll
  for (int a = 0; a < kAtoms; ++a) {
    fetch(to + a * (kRows * kAtomBytes), map, (step * kAtoms + a) * kAtomBytes, row, full, policy);
  }
}

/// All of one operand's steps, to `offset` of each stage in its turn; one thread.
template <typename S, int kRows, int kAtoms>
__device__ void bring(const Memory<S>& memory, int offset, const CUtensorMap& map, const Part& part,
                      int row, uint64_t policy) {
  Place<S> at;
  for (int i = 0; i < part.steps; ++i) {
    if (i >= S::kStages) barrier_wait(memory.empty + at.stage, at.turn ^ 1);
    fetch_step<kRows, kAtoms>(memory.weights(at.stage) + offset, map, part.first + i, row,
                              memory.full + at.stage, policy);
    at.advance(1);
  }
}

/// One thread. Those of the first turn need not wait: no kernel writes weights.
template <typename S>
__device__ void bring_weights(const Memory<S>& memory, const CUtensorMap& weights,
                              const Part& part) {
  bring<S, S::kRows, S::kAtoms>(memory, 0, weights, part, part.weight_row, read_once_policy());
}

/// A warp is done with step i - 1, now that it has begun step i at `at`.
template <typename S>
__device__ inline void release_last(const Memory<S>& memory, const Place<S>& at, int i) {
  if (threadIdx.x % 32 == 0 && i > 0) {
    barrier_arrive(memory.empty + (at.stage == 0 ? S::kStages : at.stage) - 1);
  }
}

/// The driver's encoder of tensor maps, asked of the runtime, so that nothing links the driver.
inline bool encode(CUtensorMap& map, const int8_t* data, int64_t rows, int64_t k, int box_rows) {
  using Encode = decltype(&cuTensorMapEncodeTiled);
  static const Encode encode_tiled = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult status{};
    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault,
                                         &status) != cudaSuccess ||
        status != cudaDriverEntryPointSuccess) {
      cudaGetLastError();
      found = nullptr;
    }
    return reinterpret_cast<Encode>(found);
  }();
  if (encode_tiled == nullptr) return false;
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(k), static_cast<cuuint64_t>(rows)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(k)};
  const cuuint32_t box[] = {kAtomBytes, static_cast<cuuint32_t>(box_rows)}, each[] = {1, 1};
  return encode_tiled(&map, CU_TENSOR_MAP_DATA_TYPE_UINT8, 2, const_cast<int8_t*>(data), sizes,
                      strides, box, each, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                      CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

/// Blocks that share a tile's K take part in a cluster; false where the launch is refused.
template <typename S, typename... Params, typename... Args>
bool launch_ring(void (*kernel)(Params...), int64_t m, int64_t n, int ranks, bool overlap,
                 void* stream, Args... args) {
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, S::kBytes);
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(ceil_div(n, S::kRows) * ranks),
                        static_cast<unsigned>(ceil_div(m, S::kTokens)));
  config.blockDim = S::kThreads;
  config.dynamicSmemBytes = S::kBytes;
  config.stream = as_stream(stream);
  cudaLaunchAttribute attributes[2] = {};
  attributes[0].id = cudaLaunchAttributeClusterDimension;
  attributes[0].val.clusterDim.x = static_cast<unsigned>(ranks);
  attributes[0].val.clusterDim.y = attributes[0].val.clusterDim.z = 1;
  attributes[1].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attributes[1].val.programmaticStreamSerializationAllowed = 1;
  config.attrs = attributes;
  config.numAttrs = overlap ? 2 : 1;
  if (cudaLaunchKernelEx(&config, kernel, args...) == cudaSuccess) return true;
  cudaGetLastError();
  return false;
}

/// Coordinates of TMA are 32-bit integers.
template <typename S>
bool takes(int64_t m, int64_t n, int64_t k, int ranks) {
  constexpr int64_t kMost = int64_t{1} << 30;
  return k >= 16 && k <= kMost && n <= kMost / 8 && m <= 4 * S::kTokens && ranks >= 1 &&
         ranks <= kMostRanks && ranks <= ceil_div(k, S::kStep);
}

}  // namespace octet::cuda::ring
