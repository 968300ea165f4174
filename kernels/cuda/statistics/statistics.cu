// Observers on the device: maxima of bit patterns, so any launch gives the same bits.
#include <algorithm>

#include "kernels/cuda/vec8.cuh"

namespace octet::cuda {
namespace {

constexpr int kWarps = kThreads / 32, kBlockColumns = 32 * 8;

/// Most atomics would not change what they meet.
__device__ void raise(float* absmax, unsigned top) {
  auto* bits = reinterpret_cast<unsigned*>(absmax);
  if (*const_cast<volatile unsigned*>(bits) < top) atomicMax(bits, top);
}

/// Maxima of the columns of a Vec8, as they lie in it.
template <typename T>
__device__ void raise_words(uint32_t (&top)[Vec8<T>::kWords], const Vec8<T>& v) {
#pragma unroll
  for (int i = 0; i < Vec8<T>::kWords; ++i) {
    if constexpr (sizeof(T) == 4) {
      top[i] = max(top[i], v.word[i] & 0x7fffffffu);
    } else {
      top[i] = max_halves(top[i], v.word[i] & 0x7fff7fffu);
    }
  }
}

/// A lane owns eight columns, the warps of a block share its rows, blocks along y share all rows.
/// Magnitudes order like their bits, NaN on top, so the maxima meet in an integer atomic.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    channel_absmax_kernel(const T* x, int64_t rows, int64_t k, int64_t rows_per_block,
                          float* absmax) {
  constexpr int kAtOnce = 4, kWords = Vec8<T>::kWords;
  __shared__ uint32_t of_warp[kWarps][32 * kWords];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t first = int64_t{blockIdx.x} * kBlockColumns, j = first + lane * 8;
  const int64_t end = min(rows, (blockIdx.y + int64_t{1}) * rows_per_block);
  uint32_t top[kWords] = {};
  for (int64_t r = blockIdx.y * rows_per_block + warp; j < k && r < end; r += kWarps * kAtOnce) {
    Vec8<T> raw[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (r + i * kWarps < end) raw[i] = load8(x + (r + i * kWarps) * k + j);
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (r + i * kWarps < end) raise_words<T>(top, raw[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < kWords; ++i) of_warp[warp][lane * kWords + i] = top[i];
  __syncthreads();
  if (first + threadIdx.x >= k) return;
  unsigned best = 0;
  for (int w = 0; w < kWarps; ++w) {
    const T value = reinterpret_cast<const T*>(of_warp[w])[threadIdx.x];
    best = max(best, __float_as_uint(to_float(value)) & 0x7fffffffu);
  }
  raise(absmax + first + threadIdx.x, best);
}

/// The same for columns that are no aligned eights: a thread a column.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    column_absmax_kernel(const T* x, int64_t rows, int64_t k, float* absmax) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t j = blockIdx.x * int64_t{kThreads} + threadIdx.x; j < k; j += stride) {
    unsigned top = 0;
    for (int64_t r = blockIdx.y; r < rows; r += gridDim.y) {
      top = max(top, __float_as_uint(to_float(x[r * k + j])) & 0x7fffffffu);
    }
    raise(absmax + j, top);
  }
}

}  // namespace

void channel_absmax(const void* x, Dtype type, int64_t rows, int64_t k, float* absmax,
                    void* stream) {
  if (rows <= 0 || k <= 0) return;
  const bool vectors = k % 8 == 0 && aligned(x, 16);
  constexpr int64_t kMostY = 65535, kRowsPerBlock = 64;
  const int64_t across = ceil_div(k, vectors ? kBlockColumns : kThreads);
  int64_t down = ceil_div(rows, kRowsPerBlock);
  if (vectors) {
    const int64_t wanted = ceil_div(8 * device_attribute(cudaDevAttrMultiProcessorCount), across);
    down = std::min(ceil_div(rows, kWarps * 4), wanted);
  }
  down = std::min(down, kMostY);
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    const auto* from = static_cast<const T*>(x);
    const dim3 grid(vectors ? static_cast<unsigned>(across) : blocks_for(across),
                    static_cast<unsigned>(down));
    if (vectors) {
      channel_absmax_kernel<<<grid, kThreads, 0, as_stream(stream)>>>(from, rows, k,
                                                                      ceil_div(rows, down), absmax);
    } else {
      column_absmax_kernel<<<grid, kThreads, 0, as_stream(stream)>>>(from, rows, k, absmax);
    }
  });
  check_launch("channel_absmax");
}

}  // namespace octet::cuda
