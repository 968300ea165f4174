// Observers on the device: integer counts and maxima of bit patterns, so any launch gives the same
// bits.
#include "kernels/cuda/common.cuh"

namespace octet::cuda {
namespace {

using Counter = unsigned long long;

/// Threads along k read neighbouring columns; blocks along y share the rows. Magnitudes order like
/// their bits, NaN on top, so the maxima meet in an integer atomic.
template <typename T>
__global__ void channel_absmax_kernel(const T* x, int64_t rows, int64_t k, float* absmax) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t j = blockIdx.x * int64_t{kThreads} + threadIdx.x; j < k; j += stride) {
    unsigned top = 0;
    for (int64_t r = blockIdx.y; r < rows; r += gridDim.y) {
      top = max(top, __float_as_uint(to_float(x[r * k + j])) & 0x7fffffffu);
    }
    atomicMax(reinterpret_cast<unsigned*>(absmax) + j, top);
  }
}

/// With `in_shared`, a block counts in shared memory first: its elements per block stay below 2^32.
template <typename T>
__global__ void histogram_kernel(const T* x, int64_t count, float width, Counter* counts,
                                 int64_t bins, bool in_shared, Counter* zeros) {
  extern __shared__ unsigned own[];
  if (in_shared) {
    for (int64_t b = threadIdx.x; b < bins; b += kThreads) own[b] = 0;
    __syncthreads();
  }
  Counter none = 0;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < count; i += stride) {
    const float v = fabsf(to_float(x[i]));
    if (v == 0.0f) {
      ++none;
      continue;
    }
    const float quotient = fminf(__fdiv_rn(v, width), 1073741824.0f);
    const int64_t bin = min(static_cast<int64_t>(quotient), bins - 1);
    if (in_shared) {
      atomicAdd(own + bin, 1u);
    } else {
      atomicAdd(counts + bin, Counter{1});
    }
  }
  if (none != 0) atomicAdd(zeros, none);
  if (!in_shared) return;
  __syncthreads();
  for (int64_t b = threadIdx.x; b < bins; b += kThreads) {
    if (own[b] != 0) atomicAdd(counts + b, Counter{own[b]});
  }
}

}  // namespace

void channel_absmax(const void* x, Type type, int64_t rows, int64_t k, float* absmax,
                    void* stream) {
  if (rows <= 0 || k <= 0) return;
  constexpr int64_t kRowsPerBlock = 64;
  const int64_t by_rows = ceil_div(rows, kRowsPerBlock);
  const dim3 grid(blocks_for(ceil_div(k, kThreads)),
                  static_cast<unsigned>(by_rows < 65535 ? by_rows : 65535));
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    channel_absmax_kernel<<<grid, kThreads, 0, as_stream(stream)>>>(static_cast<const T*>(x), rows,
                                                                    k, absmax);
  });
  check_launch("channel_absmax");
}

void histogram(const void* x, Type type, int64_t count, float width, int64_t* counts, int64_t bins,
               int64_t* zeros, void* stream) {
  if (bins < 1 || bins > (int64_t{1} << 30)) {
    throw Error("a histogram of " + std::to_string(bins) + " bins", "1 to 2^30 bins",
                "choose another number of bins");
  }
  if (count <= 0) return;
  constexpr int64_t kSharedBytes = 48 * 1024, kPerBlock = 1 << 14;
  const int64_t bytes = bins * static_cast<int64_t>(sizeof(unsigned));
  const bool in_shared = bytes <= kSharedBytes;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    histogram_kernel<<<blocks_for(ceil_div(count, kPerBlock)), kThreads,
                       in_shared ? static_cast<size_t>(bytes) : 0, as_stream(stream)>>>(
        static_cast<const T*>(x), count, width, reinterpret_cast<Counter*>(counts), bins, in_shared,
        reinterpret_cast<Counter*>(zeros));
  });
  check_launch("histogram");
}

}  // namespace octet::cuda
