// Rows held in registers: a thread owns up to kVectors Vec8 of its row, a warp (short rows) or a
// block works on one row. Rows that are longer, or not made of aligned vectors, go element by
// element. How a row is cut depends on k and the alignment alone, so a row's result never depends
// on the number of rows.
#pragma once
#include "kernels/cuda/coder.cuh"
#include "kernels/cuda/row_kernels.h"
#include "kernels/cuda/vec8.cuh"

namespace octet::cuda {

constexpr int kVectors = 4, kWarpRows = 4;
constexpr int64_t kWarpElements = 32 * kVectors * 8;

/// Four-byte elements take twice the registers.
template <typename T>
constexpr int kRowThreads = sizeof(T) == 4 ? 512 : 1024;

/// The first element of this thread's vector v.
template <bool kWarp>
__device__ inline int64_t column(int v) {
  const unsigned slot = kWarp ? v * 32 + threadIdx.x % 32 : v * blockDim.x + threadIdx.x;
  return int64_t{slot} * 8;
}
template <bool kWarp>
__device__ inline bool leads_row() {
  return (kWarp ? threadIdx.x % 32 : threadIdx.x) == 0;
}

/// All threads of a row get the maximum.
template <bool kWarp>
__device__ inline unsigned row_max(unsigned top) {
  top = __reduce_max_sync(~0u, top);
  if constexpr (kWarp) return top;
  __shared__ unsigned of_warp[32];
  __syncthreads();  // the readers of the round before are done
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = top;
  __syncthreads();
  unsigned best = 0;
  for (unsigned i = 0; i < blockDim.x / 32; ++i) best = max(best, of_warp[i]);
  return best;
}

/// All threads of a row get the sum, with the same bits: additions in one order.
template <bool kWarp>
__device__ inline float row_sum(float sum) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
  if constexpr (kWarp) return sum;
  __shared__ float of_warp[32];
  __syncthreads();  // the readers of the round before are done
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
  __syncthreads();
  float total = 0;
  for (unsigned i = 0; i < blockDim.x / 32; ++i) total += of_warp[i];
  return total;
}

template <bool kWarp, typename T>
__device__ inline float scale_of_row(const Vec8<T> (&y)[kVectors], int64_t k) {
  Magnitude<T> top;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (column<kWarp>(v) < k) top.add(y[v]);
  }
  return scale_of(row_max<kWarp>(top.bits()));
}

/// Row r of `to` from its values in registers.
template <bool kWarp, typename T>
__device__ inline void finish_row(const Vec8<T> (&y)[kVectors], int64_t r, int64_t k,
                                  const RowTarget& to) {
  if (to.value != nullptr) {
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      const int64_t j = column<kWarp>(v);
      if (j < k) store8(static_cast<T*>(to.value) + r * k + j, y[v]);
    }
  }
  if (to.q == nullptr) return;
  const float scale = to.per_row ? scale_of_row<kWarp>(y, k) : *to.scale;
  if (to.per_row && leads_row<kWarp>()) to.scale[r] = scale;
  const Coder coder(scale);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int64_t j = column<kWarp>(v);
    if (j >= k) continue;
    float x[8];
    widen8(y[v], x);
    *reinterpret_cast<uint2*>(to.q + r * k + j) = coder.codes(x);
  }
}

/// The same element by element: y(j) gives the value as T holds it, from what only the same thread
/// may write at j.
template <typename T, typename Y>
__device__ inline void finish_elements(const Y& y, int64_t r, int64_t k, const RowTarget& to) {
  float scale = 1.0f;
  if (to.q != nullptr && to.per_row) {
    unsigned top = 0;
    for (int64_t j = threadIdx.x; j < k; j += blockDim.x) {
      top = max(top, __float_as_uint(y(j)) & 0x7fffffffu);
    }
    scale = scale_of(row_max<false>(top));
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

/// Op: T, the widest element; row<kWarp>(r) with vectors, elements(r) without.
template <bool kWarp, typename Op>
__global__ void __launch_bounds__(kWarp ? 32 * kWarpRows : kRowThreads<typename Op::T>)
    vector_rows_kernel(const __grid_constant__ Op op, int64_t rows) {
  wait_for_predecessor();
  const int64_t each = kWarp ? kWarpRows : 1, own = kWarp ? threadIdx.x / 32 : 0;
  for (int64_t r = blockIdx.x * each + own; r < rows; r += gridDim.x * each) {
    op.template row<kWarp>(r);
  }
}
template <typename Op>
__global__ void __launch_bounds__(kThreads)
    element_rows_kernel(const __grid_constant__ Op op, int64_t rows) {
  wait_for_predecessor();
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) op.elements(r);
}

/// `vectors`: k is a multiple of 8 and all of the op's matrices are aligned for load8 and codes.
template <typename Op>
void launch_rows(const Op& op, int64_t rows, int64_t k, bool vectors, void* stream,
                 const char* name) {
  constexpr int64_t kMostThreads = kRowThreads<typename Op::T>;
  if (vectors && k <= kWarpElements) {
    launch(vector_rows_kernel<true, Op>, blocks_for(ceil_div(rows, kWarpRows)), 32 * kWarpRows, 0,
           true, stream, op, rows);
  } else if (vectors && k <= kMostThreads * kVectors * 8) {
    const int64_t warps = ceil_div(k, kWarpElements);
    launch(vector_rows_kernel<false, Op>, blocks_for(rows), static_cast<unsigned>(32 * warps), 0,
           true, stream, op, rows);
  } else {
    launch(element_rows_kernel<Op>, blocks_for(rows), kThreads, 0, true, stream, op, rows);
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
