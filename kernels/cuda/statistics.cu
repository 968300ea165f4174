// Observers on the device: integer counts and maxima of bit patterns, so any launch gives the same
// bits.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/vec8.cuh"

namespace octet::cuda {
namespace {

using Counter = unsigned long long;

constexpr int kWarps = kThreads / 32, kBlockColumns = 32 * 8;

int64_t device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  if (cudaGetDevice(&device) != cudaSuccess) check_launch("cudaGetDevice");
  if (cudaDeviceGetAttribute(&value, attribute, device) != cudaSuccess) {
    check_launch("cudaDeviceGetAttribute");
  }
  return value;
}

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

constexpr int kHistogramThreads = 1024;
constexpr int64_t kHistogramBytes = 128 * 1024;

/// `copies` (a power of two) counters of a bin lie side by side, a lane counts in its own: equal
/// values in a warp seldom meet. A block's elements stay below 2^32.
struct Bins {
  float width, inverse;  ///< inverse 0: divide. Else the product is the quotient, being exact
  float last;
  int shift;  ///< log2 of the copies

  __device__ void count(float value, unsigned* own, unsigned& zeros) const {
    constexpr float kUnits = 8388608.0f;  // 2^23: the sum rounded down holds an integer
    const float v = fabsf(value);
    if (v == 0.0f) {
      ++zeros;
      return;
    }
    const float quotient = inverse != 0.0f ? __fmul_rn(v, inverse) : __fdiv_rn(v, width);
    const float sum = __fadd_rz(fminf(quotient, last), kUnits);  // NaN counts in the last
    const unsigned bin = __float_as_uint(sum) & 0x7fffffu;
    atomicAdd(own + ((bin << shift) | (threadIdx.x & ((1u << shift) - 1))), 1u);
  }
};

template <typename T>
__device__ unsigned count_own(const T* x, int64_t count, bool vectors, const Bins& bins,
                              unsigned* own) {
  constexpr int kAtOnce = 4;
  unsigned zeros = 0;
  const int64_t packs = vectors ? count / 8 : 0, stride = int64_t{gridDim.x} * kHistogramThreads;
  const int64_t mine = blockIdx.x * int64_t{kHistogramThreads} + threadIdx.x;
  for (int64_t pack = mine; pack < packs; pack += stride * kAtOnce) {
    Vec8<T> raw[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (pack + i * stride < packs) raw[i] = load8(x + (pack + i * stride) * 8);
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (pack + i * stride >= packs) continue;
      float v[8];
      widen8(raw[i], v);
#pragma unroll
      for (int e = 0; e < 8; ++e) bins.count(v[e], own, zeros);
    }
  }
  for (int64_t i = packs * 8 + mine; i < count; i += stride) {
    bins.count(to_float(x[i]), own, zeros);
  }
  return zeros;
}

template <typename T>
__global__ void __launch_bounds__(kHistogramThreads)
    histogram_kernel(const T* x, int64_t count, bool vectors, const __grid_constant__ Bins bins,
                     int size, Counter* counts, Counter* zeros) {
  extern __shared__ unsigned own[];
  for (int i = threadIdx.x; i < size << bins.shift; i += kHistogramThreads) own[i] = 0;
  __syncthreads();
  const unsigned none = __reduce_add_sync(~0u, count_own(x, count, vectors, bins, own));
  if (threadIdx.x % 32 == 0 && none != 0) atomicAdd(zeros, Counter{none});
  __syncthreads();
  const int copies = 1 << bins.shift;
  for (int b = threadIdx.x; b < size; b += kHistogramThreads) {
    Counter sum = 0;
    for (int c = 0; c < copies; ++c) sum += own[(b << bins.shift) | ((c + b) & (copies - 1))];
    if (sum != 0) atomicAdd(counts + b, sum);
  }
}

/// More bins than shared memory holds.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    wide_histogram_kernel(const T* x, int64_t count, float width, Counter* counts, int64_t bins,
                          Counter* zeros) {
  Counter none = 0;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < count; i += stride) {
    const float v = fabsf(to_float(x[i]));
    if (v == 0.0f) {
      ++none;
      continue;
    }
    const float quotient = fminf(__fdiv_rn(v, width), 1073741824.0f);
    atomicAdd(counts + min(static_cast<int64_t>(quotient), bins - 1), Counter{1});
  }
  if (none != 0) atomicAdd(zeros, none);
}

/// 1 / width where products with it equal quotients: a power of two whose reciprocal is a float.
float exact_inverse(float width) {
  const float inverse = 1.0f / width;
  int exponent = 0;
  const bool power = std::isfinite(width) && width > 0.0f && std::frexp(width, &exponent) == 0.5f;
  return power && std::isfinite(inverse) ? inverse : 0.0f;
}

template <typename T>
void launch_histogram(const T* x, int64_t count, float width, Counter* counts, int64_t bins,
                      Counter* zeros, void* stream) {
  const int64_t most =
      std::min(kHistogramBytes, device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
  int64_t bytes = bins * static_cast<int64_t>(sizeof(unsigned));
  if (bytes > most) {
    wide_histogram_kernel<<<blocks_for(ceil_div(count, 1 << 14)), kThreads, 0, as_stream(stream)>>>(
        x, count, width, counts, bins, zeros);
    return;
  }
  Bins how{width, exact_inverse(width), static_cast<float>(bins - 1), 0};
  while (how.shift < 4 && bytes * 2 <= most) ++how.shift, bytes *= 2;
  if (cudaFuncSetAttribute(histogram_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(bytes)) != cudaSuccess) {
    check_launch("histogram");
  }
  const int64_t useful = ceil_div(count, kHistogramThreads * 8);
  const int64_t blocks = std::min(useful, device_attribute(cudaDevAttrMultiProcessorCount));
  histogram_kernel<<<blocks_for(blocks), kHistogramThreads, static_cast<size_t>(bytes),
                     as_stream(stream)>>>(x, count, aligned(x, 16), how, static_cast<int>(bins),
                                          counts, zeros);
}

}  // namespace

void channel_absmax(const void* x, Type type, int64_t rows, int64_t k, float* absmax,
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

void histogram(const void* x, Type type, int64_t count, float width, int64_t* counts, int64_t bins,
               int64_t* zeros, void* stream) {
  if (bins < 1 || bins > (int64_t{1} << 30)) {
    throw Error("a histogram of " + std::to_string(bins) + " bins", "1 to 2^30 bins",
                "choose another number of bins");
  }
  if (count <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    launch_histogram(static_cast<const T*>(x), count, width, reinterpret_cast<Counter*>(counts),
                     bins, reinterpret_cast<Counter*>(zeros), stream);
  });
  check_launch("histogram");
}

}  // namespace octet::cuda
