// Rows held in registers: a thread owns a few Vec8 of its row, a warp (short rows) or a block works
// on one row at a time. Rows that are longer, or not made of aligned vectors, go element by
// element. How a row is cut depends on k and the alignment alone, so a row's result never depends
// on the number of rows; ops whose result is the same for every cut (Op::kAnyCut) have few rows cut
// finer.
#pragma once
#include "kernels/cuda/rows/coder.cuh"
#include "kernels/cuda/rows/row_kernels.h"
#include "kernels/cuda/vec8.cuh"

namespace octet::cuda {

constexpr int kVectors = 4, kWarpRows = 4;
constexpr int64_t kWarpElements = 32 * kVectors * 8;
constexpr int kShortRow = 256;  ///< threads of a block for rows that are not long

/// Four-byte elements take twice the registers.
template <typename T>
constexpr int kRowThreads = sizeof(T) == 4 ? 512 : 1024;

/// A thread's part of a row: kVectors Vec8.
template <bool kOfWarp, int kOfThread>
struct Cut {
  static constexpr bool kWarp = kOfWarp;
  static constexpr int kVectors = kOfThread;

  /// The first element of this thread's vector v.
  __device__ static int column(int v) {
    const unsigned slot = kWarp ? v * 32 + threadIdx.x % 32 : v * blockDim.x + threadIdx.x;
    return static_cast<int>(slot * 8);
  }
  __device__ static bool leads_row() { return (kWarp ? threadIdx.x % 32 : threadIdx.x) == 0; }
};
using Elements = Cut<false, 1>;  ///< a block a row, element by element

template <typename C, typename T>
__device__ inline void load_row(const T* row, int k, Vec8<T>* held) {
#pragma unroll
  for (int v = 0; v < C::kVectors; ++v) {
    const int j = C::column(v);
    if (j < k) held[v] = load8(row + j);
  }
}
template <typename C, typename T>
__device__ inline void store_row(T* row, int k, const Vec8<T>* held) {
#pragma unroll
  for (int v = 0; v < C::kVectors; ++v) {
    const int j = C::column(v);
    if (j < k) store8(row + j, held[v]);
  }
}

/// What the warps of a block tell one another, V each: a barrier an exchange. Two sets of slots in
/// turn: a set is written again behind the barrier of the other's exchange, so after all reads.
/// One object a thread and kernel.
class Exchange {
 public:
  /// Every warp's value, the own given by its first lane.
  template <typename V>
  __device__ const V* all(const V& own) {
    static_assert(sizeof(V) <= sizeof(float4), "");
    __shared__ float4 slots[2][32];
    V* set = reinterpret_cast<V*>(slots[turn_]);
    turn_ ^= 1;
    if (threadIdx.x % 32 == 0) set[threadIdx.x / 32] = own;
    __syncthreads();
    return set;
  }

 private:
  unsigned turn_ = 0;
};

/// All threads of a row get the maximum.
template <typename C>
__device__ inline unsigned row_max(unsigned top, Exchange& exchange) {
  top = __reduce_max_sync(~0u, top);
  if constexpr (C::kWarp) return top;
  const unsigned* of_warp = exchange.all(top);
  unsigned best = 0;
  for (unsigned i = 0; i < blockDim.x / 32; ++i) best = max(best, of_warp[i]);
  return best;
}

__device__ inline float warp_sum(float sum) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
  return sum;
}

/// All threads of a row get the sum, with the same bits: additions in one order.
template <typename C>
__device__ inline float row_sum(float sum, Exchange& exchange) {
  sum = warp_sum(sum);
  if constexpr (C::kWarp) return sum;
  const float* of_warp = exchange.all(sum);
  float total = 0;
  for (unsigned i = 0; i < blockDim.x / 32; ++i) total += of_warp[i];
  return total;
}

template <typename C, typename T>
__device__ inline float scale_of_row(const Vec8<T>* y, int k, Exchange& exchange) {
  Magnitude<T> top;
#pragma unroll
  for (int v = 0; v < C::kVectors; ++v) {
    if (C::column(v) < k) top.add(y[v]);
  }
  return scale_of(row_max<C>(top.bits(), exchange));
}

template <typename C, typename T, typename Coder>
__device__ inline void store_codes(const Vec8<T>* y, const Coder& coder, int k, int8_t* q) {
#pragma unroll
  for (int v = 0; v < C::kVectors; ++v) {
    const int j = C::column(v);
    if (j >= k) continue;
    float x[8];
    widen8(y[v], x);
    *reinterpret_cast<uint2*>(q + j) = coder.codes(x);
  }
}

/// Row r of `to` from its values in registers.
template <typename C, typename T>
__device__ inline void finish_row(const Vec8<T>* y, int64_t r, int64_t k, const RowTarget& to,
                                  Exchange& exchange) {
  const int width = static_cast<int>(k);
  if (to.value != nullptr) store_row<C>(static_cast<T*>(to.value) + r * k, width, y);
  if (to.q == nullptr) return;
  if (to.per_row) {
    const float scale = scale_of_row<C>(y, width, exchange);
    if (C::leads_row()) to.scale[r] = scale;
    store_codes<C>(y, Coder<false, T>(scale), width, to.q + r * k);
  } else {
    store_codes<C>(y, Coder<true, T>(*to.scale), width, to.q + r * k);
  }
}

/// The same element by element: y(j) gives the value as T holds it, from what only the same thread
/// may write at j.
template <typename T, typename Y>
__device__ inline void finish_elements(const Y& y, int64_t r, int64_t k, const RowTarget& to,
                                       Exchange& exchange) {
  float scale = 1.0f;
  if (to.q != nullptr && to.per_row) {
    unsigned top = 0;
    for (int64_t j = threadIdx.x; j < k; j += blockDim.x) {
      top = max(top, __float_as_uint(y(j)) & 0x7fffffffu);
    }
    scale = scale_of(row_max<Elements>(top, exchange));
    if (threadIdx.x == 0) to.scale[r] = scale;
  } else if (to.q != nullptr) {
    scale = *to.scale;
  }
  for (int64_t j = threadIdx.x; j < k; j += blockDim.x) {
    const float v = y(j);
    if (to.value != nullptr) static_cast<T*>(to.value)[r * k + j] = from_float<T>(v);
    if (to.q != nullptr) to.q[r * k + j] = code(v, scale);
  }
}

/// Op: T, the elements read; kAnyCut; kMatrices read, by load<C>(r, held) into as many Vec8 of a
/// thread; row<C>(r, held, exchange) goes on from there, elements(r, exchange) without vectors.
template <typename C, int kMostThreads, typename Op>
__global__ void __launch_bounds__(kMostThreads, kRowThreads<typename Op::T> / kMostThreads)
    vector_rows_kernel(const __grid_constant__ Op op, int64_t rows) {
  wait_for_predecessor();
  const int64_t each = C::kWarp ? kWarpRows : 1, own = C::kWarp ? threadIdx.x / 32 : 0;
  Exchange exchange;
  for (int64_t r = blockIdx.x * each + own; r < rows; r += gridDim.x * each) {
    Vec8<typename Op::T> held[C::kVectors * Op::kMatrices];
    op.template load<C>(r, held);
    op.template row<C>(r, held, exchange);
  }
}
template <typename Op>
__global__ void __launch_bounds__(kThreads)
    element_rows_kernel(const __grid_constant__ Op op, int64_t rows) {
  wait_for_predecessor();
  Exchange exchange;
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) op.elements(r, exchange);
}

template <typename C, int kMostThreads, typename Op>
void launch_cut(const Op& op, int64_t rows, int64_t k, void* stream) {
  const int threads =
      C::kWarp ? 32 * kWarpRows : static_cast<int>(32 * ceil_div(k, 32 * 8 * C::kVectors));
  launch(vector_rows_kernel<C, kMostThreads, Op>,
         blocks_for(ceil_div(rows, C::kWarp ? kWarpRows : 1)), threads, 0, true, stream, op, rows);
}

/// Whether all rows are at work at once where a thread has `vectors` of its row: a processor has
/// registers for kRowThreads.
template <typename Op>
bool at_once(int64_t rows, int64_t k, int vectors) {
  constexpr int64_t kHeld = kRowThreads<typename Op::T>;
  const int64_t threads = 32 * ceil_div(k, 32 * 8 * vectors);
  return threads <= kHeld &&
         rows <= device_attribute(cudaDevAttrMultiProcessorCount) * (kHeld / threads);
}

/// `vectors`: k is a multiple of 8 and all of the op's matrices are aligned for load8 and codes.
template <typename Op>
void launch_rows(const Op& op, int64_t rows, int64_t k, bool vectors, void* stream,
                 const char* name) {
  constexpr int kThreadsMost = kRowThreads<typename Op::T>;
  if (!vectors || k > int64_t{kThreadsMost} * 8 * kVectors) {
    launch(element_rows_kernel<Op>, blocks_for(rows), kThreads, 0, true, stream, op, rows);
  } else if (Op::kAnyCut && at_once<Op>(rows, k, 1)) {
    launch_cut<Cut<false, Op::kAnyCut ? 1 : kVectors>, kThreadsMost>(op, rows, k, stream);
  } else if (Op::kAnyCut && at_once<Op>(rows, k, 2)) {
    launch_cut<Cut<false, Op::kAnyCut ? 2 : kVectors>, kThreadsMost>(op, rows, k, stream);
  } else if (k <= kWarpElements) {
    launch_cut<Cut<true, kVectors>, 32 * kWarpRows>(op, rows, k, stream);
  } else if (k <= kShortRow * kVectors * 8) {
    launch_cut<Cut<false, kVectors>, kShortRow>(op, rows, k, stream);
  } else {
    launch_cut<Cut<false, kVectors>, kThreadsMost>(op, rows, k, stream);
  }
  check_launch(name);
}

inline bool takes_vectors(const RowTarget& to, int64_t k) {
  return k % 8 == 0 && aligned(to.q, 8) && aligned(to.value, 16);
}

/// Elements without rows. Op: Raw; load(i) and apply(i, Raw) of the eight from i on; one(i).
template <typename Op>
__global__ void __launch_bounds__(kThreads)
    elementwise_kernel(const __grid_constant__ Op op, int64_t count, bool vectors) {
  constexpr int kEach = 4;
  const int64_t packs = vectors ? count / 8 : 0, per_block = kThreads * kEach;
  for (int64_t first = blockIdx.x * per_block; first < packs; first += gridDim.x * per_block) {
    typename Op::Raw raw[kEach];
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int64_t pack = first + i * kThreads + threadIdx.x;
      if (pack < packs) raw[i] = op.load(pack * 8);
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int64_t pack = first + i * kThreads + threadIdx.x;
      if (pack < packs) op.apply(pack * 8, raw[i]);
    }
  }
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = packs * 8 + blockIdx.x * int64_t{kThreads} + threadIdx.x; i < count;
       i += stride) {
    op.one(i);
  }
}

template <typename Op>
void launch_elements(const Op& op, int64_t count, bool vectors, void* stream, const char* name) {
  const int64_t per_block = kThreads * (vectors ? 32 : 4);
  elementwise_kernel<<<blocks_for(ceil_div(count, per_block)), kThreads, 0, as_stream(stream)>>>(
      op, count, vectors);
  check_launch(name);
}

}  // namespace octet::cuda
