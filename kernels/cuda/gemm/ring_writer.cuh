// A ring kernel's frame and its end: sums over the cluster, scales, and values to y.
#pragma once
#include "kernels/cuda/gemm/ring.cuh"
#include "kernels/cuda/vec8.cuh"

namespace octet::cuda::ring {

/// y[m, n] = sum * row_scale[per_row ? m : 0] * col_scale[n] + bias[n], each that is not null,
/// every product and sum rounded. typed_bias: the bias in y's type, used where `bias` is null.
struct Result {
  const float* row_scale;
  bool per_row;
  const float *col_scale, *bias;
  const void* typed_bias;
  int m, n;
  void* y;
};

template <typename Sum>
struct alignas(16) Four {
  Sum v[4];
};

/// To `to` of this block's shared memory, but in the block `rank` of the cluster.
template <typename Sum>
__device__ inline void store_remote(const Four<Sum>* to, int rank, const Four<Sum>& sums) {
  const uint4 v = *reinterpret_cast<const uint4*>(&sums);
  asm volatile(
      "{\n.reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "st.shared::cluster.v4.u32 [there], {%2, %3, %4, %5};\n}" ::"r"(shared_address(to)),
      "r"(rank), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w)
      : "memory");
}

/// 8 x 8 halves of a warp, two neighbours of a row a lane: rows become columns.
__device__ inline uint32_t transpose(uint32_t pair) {
  uint32_t out;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(out) : "r"(pair));
  return out;
}

/// From sums to values in y by way of shared memory. A thread's fragment of eight tokens is [rows
/// g, g + 8 of its warp's 16][tokens 2 t, 2 t + 1] for lane 4 g + t. Made before the products, so
/// that its loads are over when they are.
template <typename S, typename T>
class Writer {
 public:
  __device__ Writer(const Memory<S>& memory, const Result& to, const Part& part)
      : memory_(memory), to_(to), part_(part) {
#pragma unroll
    for (int i = 0; to.row_scale != nullptr && i < kScales; ++i) {
      const int token = part.token_row + i * S::kConsumers + static_cast<int>(threadIdx.x);
      token_scale_[i] = to.row_scale[to.per_row && token < to.m ? token : 0];
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = min(part.weight_row + row_of(half), to.n - 1);
      scale_[half] = to.col_scale == nullptr ? 1.0f : to.col_scale[row];
      if (to.bias != nullptr) {
        bias_[half] = to.bias[row];
      } else if (to.typed_bias != nullptr) {
        bias_[half] = to_float(static_cast<const T*>(to.typed_bias)[row]);
      }
    }
  }

  /// All have read the ring and have each other's scales then.
  __device__ void begin() const {
#pragma unroll
    for (int i = 0; i < kScales; ++i) {
      const int token = i * S::kConsumers + static_cast<int>(threadIdx.x);
      if (token < S::kTokens) memory_.token_scale[token] = token_scale_[i];
    }
    consumers_meet<S>();
  }

  /// Tokens 8 `eight` on, to the tokens 8 `slot` on of `values`.
  template <typename Sum>
  __device__ void put(char* values, int slot, int eight, const Four<Sum>& sums) const {
    const float2 token_scale =
        reinterpret_cast<const float2*>(memory_.token_scale + 8 * eight)[lane() % 4];
    char* const token = values + (8 * slot + lane() / 4) * S::kValueRow;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float first = value(sums.v[2 * half], token_scale.x, half);
      const float second = value(sums.v[2 * half + 1], token_scale.y, half);
      const int row = row_of(half) - lane() / 4 + 2 * (lane() % 4);
      *reinterpret_cast<uint32_t*>(token + 2 * row) = transpose(narrow2(first, second, T{}));
    }
  }

  /// The values of `slots` eights of tokens, those from `rank` on in steps of `ranks`, to y.
  __device__ void finish(const char* values, int slots, int rank, int ranks) const {
    consumers_meet<S>();
    constexpr int kPieces = S::kRows / 8;  // 16 bytes each
    for (int i = threadIdx.x; i < slots * 8 * kPieces; i += S::kConsumers) {
      const int piece = i % kPieces, local = i / kPieces;
      const int64_t token = part_.token_row + (local / 8 * ranks + rank) * 8 + local % 8;
      const int row = part_.weight_row + piece * 8;
      if (token >= to_.m || row >= to_.n) continue;
      *reinterpret_cast<uint4*>(static_cast<T*>(to_.y) + token * to_.n + row) =
          *reinterpret_cast<const uint4*>(values + local * S::kValueRow + piece * 16);
    }
  }

 private:
  __device__ static int lane() {
    return threadIdx.x % 32;
  }
  __device__ static int row_of(int half) {
    return static_cast<int>(threadIdx.x / 32) * 16 + half * 8 + lane() / 4;
  }
  template <typename Sum>
  __device__ float value(Sum sum, float token_scale, int half) const {
    float v;
    if constexpr (std::is_same_v<Sum, uint32_t>) {
      v = __int2float_rn(static_cast<int>(sum));
    } else {
      v = sum;
    }
    if (to_.row_scale != nullptr) v = __fmul_rn(v, token_scale);
    v = __fmul_rn(v, scale_[half]);
    return to_.bias == nullptr && to_.typed_bias == nullptr ? v : __fadd_rn(v, bias_[half]);
  }

  const Memory<S>& memory_;
  const Result& to_;
  const Part& part_;
  static constexpr int kScales = (S::kTokens + S::kConsumers - 1) / S::kConsumers;  // of a thread
  float token_scale_[kScales] = {}, scale_[2], bias_[2] = {};
};

/// Adds over the cluster's `ranks` blocks: each sends the others their share of the eights of
/// tokens, every ranks-th, and adds what has come of its own. The ring's memory then: [ranks][slots
/// of a block][kConsumers] fours, values.
template <typename S, typename T, typename Sum>
__device__ void add_and_write(const Memory<S>& memory, const Writer<S, T>& writer,
                              const Sum (&acc)[S::kSums], int rank, int ranks) {
  constexpr int kEights = S::kTokens / 8, kAtOnce = kEights < 4 ? kEights : 4;
  static_assert(S::kRingBytes >= cluster_bytes<S>());
  const int most = (kEights + ranks - 1) / ranks;
  auto* const fours = reinterpret_cast<Four<Sum>*>(memory.ring);
  Four<Sum>* const own = fours + threadIdx.x;
  meet_cluster();  // all are done with their rings
  int owner = 0, slot = 0;
#pragma unroll
  for (int e = 0; e < kEights; ++e) {
    const Four<Sum> sums{acc[4 * e], acc[4 * e + 1], acc[4 * e + 2], acc[4 * e + 3]};
    Four<Sum>* const to = own + (rank * most + slot) * S::kConsumers;
    if (owner == rank) {
      *to = sums;
    } else {
      store_remote(to, owner, sums);
    }
    if (++owner == ranks) owner = 0, ++slot;
  }
  meet_cluster();
  char* const values = reinterpret_cast<char*>(fours + ranks * most * S::kConsumers);
  const int slots = rank < kEights ? (kEights - 1 - rank) / ranks + 1 : 0;
  for (int begin = 0; begin < slots; begin += kAtOnce) {
    Four<Sum> sums[kAtOnce] = {};
    for (int r = 0; r < ranks; ++r) {
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const Four<Sum> more = own[(r * most + min(begin + i, slots - 1)) * S::kConsumers];
#pragma unroll
        for (int c = 0; c < 4; ++c) sums[i].v[c] += more.v[c];
      }
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (begin + i < slots) writer.put(values, begin + i, (begin + i) * ranks + rank, sums[i]);
    }
  }
  writer.finish(values, slots, rank, ranks);
}

/// What remains once a thread has its sums.
template <typename S, typename T, typename Sum>
__device__ void write_sums(const Memory<S>& memory, const Writer<S, T>& writer,
                           const Sum (&acc)[S::kSums], int ranks) {
  writer.begin();
  if (ranks > 1) {
    return add_and_write(memory, writer, acc, static_cast<int>(blockIdx.x) % ranks, ranks);
  }
#pragma unroll
  for (int e = 0; e < S::kTokens / 8; ++e) {
    writer.put(memory.ring, e, e,
               Four<Sum>{acc[4 * e], acc[4 * e + 1], acc[4 * e + 2], acc[4 * e + 3]});
  }
  writer.finish(memory.ring, S::kTokens / 8, 0, 1);
}

/// A whole block. multiply(memory, steps, sums) with the threads that do; bring(memory, part, warp)
/// with the others, warp 0 the one for the weights. steps: of K in all.
template <typename S, typename T, typename Sum, typename Multiply, typename Bring>
__device__ inline void run_block(const Result& to, int steps, int ranks, const Multiply& multiply,
                                 const Bring& bring) {
  extern __shared__ char raw[];
  const Memory<S> memory(raw);
  const Part part = part_of<S>(steps, ranks);
  launch_dependents();
  if (threadIdx.x == S::kConsumers) init_barriers(memory);
  __syncthreads();
  if (threadIdx.x < S::kConsumers) {
    wait_for_dependency();
    const Writer<S, T> writer(memory, to, part);
    Sum acc[S::kSums] = {};
    multiply(memory, part.steps, acc);
    write_sums(memory, writer, acc, ranks);
  } else {
    bring(memory, part, static_cast<int>(threadIdx.x - S::kConsumers) / 32);
    __syncwarp();
    if (ranks > 1) meet_cluster(), meet_cluster();  // as add_and_write() does
  }
}

}  // namespace octet::cuda::ring
