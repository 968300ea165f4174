// Histograms on the device: integer counts, so any launch gives the same bits.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/rows/coder.cuh"
#include "kernels/cuda/vec8.cuh"

namespace octet::cuda {
namespace {

using Counter = unsigned long long;

constexpr int kHistogramThreads = 1024;
constexpr int64_t kHistogramBytes = 128 * 1024;

/// `copies` (a power of two) counters of a bin lie side by side, a lane counts in its own: equal
/// values in a warp seldom meet. A block's elements stay below 2^32.
///
/// Rounded toward zero, the sum of |value| and 2^23 * unit has the bits of 2^23 * unit plus
/// floor(|value| / unit): with the width as unit if that is a power of two, else with 1 on the
/// quotient.
struct Bins {
  float width, inverse;  ///< inverse 0: a power of two. Else 1 / width, both between 2^-100, 2^100
  float last;            ///< the last bin, in units
  float base;            ///< 2^23 * unit
  float most;            ///< width * bins: quotients of what is above need not be right
  int shift;             ///< log2 of the copies

  __host__ __device__ bool power() const { return inverse == 0.0f; }
};

/// The counters of a lane, as addresses in shared memory.
class Lane {
 public:
  __device__ Lane(const Bins& bins, unsigned* own) {
    const unsigned copy = threadIdx.x & ((1u << bins.shift) - 1);
    bytes_ = 4u << bins.shift;
    start_ = static_cast<unsigned>(__cvta_generic_to_shared(own + copy)) -
             __float_as_uint(bins.base) * bytes_;
  }
  /// NaN counts in the last bin, as fminf gives the other.
  template <bool kPower>
  __device__ void count(float value, const Bins& bins) const {
    float v = fabsf(value);
    if constexpr (!kPower) v = quotient(fminf(v, bins.most), bins.width, bins.inverse);
    const float sum = __fadd_rz(fminf(v, bins.last), bins.base);
    asm volatile("red.shared.add.u32 [%0], 1;" ::"r"(__float_as_uint(sum) * bytes_ + start_)
                 : "memory");
  }

 private:
  unsigned start_, bytes_;
};

/// Zeros of both signs: of two-byte elements in pairs, as halves, which bfloat16's zeros are too.
template <typename T, int kPacks>
__device__ unsigned count_zeros(const Vec8<T> (&packs)[kPacks]) {
  static_assert(kPacks * 4 <= 2048, "halves count that far");
  unsigned zeros = 0;
  __half2 pairs = __float2half2_rn(0.0f);
#pragma unroll
  for (int i = 0; i < kPacks * Vec8<T>::kWords; ++i) {
    const uint32_t word = packs[i / Vec8<T>::kWords].word[i % Vec8<T>::kWords];
    if constexpr (sizeof(T) == 4) {
      zeros += (word & 0x7fffffffu) == 0;
    } else {
      const __half2 two = *reinterpret_cast<const __half2*>(&word);
      pairs = __hadd2(pairs, __heq2(two, __float2half2_rn(0.0f)));
    }
  }
  if constexpr (sizeof(T) == 2)
    zeros = __half2uint_rn(__hadd(__low2half(pairs), __high2half(pairs)));
  return zeros;
}

/// A thread's share in its lane's counters, zeros in bin 0 as well; returns the zeros. Batches of
/// packs, the next on its way while one is counted.
template <typename T, bool kPower>
__device__ unsigned count_own(const T* x, int64_t count, bool vectors, const Bins& bins,
                              const Lane& lane) {
  constexpr int kPacks = 2;
  unsigned zeros = 0;
  const int64_t packs = vectors ? count / 8 : 0, stride = int64_t{gridDim.x} * kHistogramThreads;
  const int64_t mine = blockIdx.x * int64_t{kHistogramThreads} + threadIdx.x;
  const int64_t whole = packs - stride * (kPacks - 1);  // batches from below here are full
  const auto load = [&](int64_t pack, Vec8<T>(&batch)[kPacks]) {
#pragma unroll
    for (int i = 0; i < kPacks; ++i) batch[i] = load8(x + (pack + i * stride) * 8);
  };
  int64_t pack = mine;
  Vec8<T> next[kPacks];
  if (pack < whole) load(pack, next);
  while (pack < whole) {
    Vec8<T> batch[kPacks];
#pragma unroll
    for (int i = 0; i < kPacks; ++i) batch[i] = next[i];
    pack += stride * kPacks;
    if (pack < whole) load(pack, next);
#pragma unroll
    for (int i = 0; i < kPacks; ++i) {
      float v[8];
      widen8(batch[i], v);
#pragma unroll
      for (int e = 0; e < 8; ++e) lane.count<kPower>(v[e], bins);
    }
    zeros += count_zeros(batch);
  }
  const auto one = [&](float v) {
    lane.count<kPower>(v, bins);
    zeros += v == 0.0f;
  };
  for (; pack < packs; pack += stride) {
    for (int e = 0; e < 8; ++e) one(to_float(x[pack * 8 + e]));
  }
  for (int64_t i = packs * 8 + mine; i < count; i += stride) one(to_float(x[i]));
  return zeros;
}

template <typename T, bool kPower>
__global__ void __launch_bounds__(kHistogramThreads)
    histogram_kernel(const T* x, int64_t count, bool vectors, const __grid_constant__ Bins bins,
                     int size, Counter* counts, Counter* zeros) {
  extern __shared__ unsigned own[];
  __shared__ unsigned none;
  for (int i = threadIdx.x; i < size << bins.shift; i += kHistogramThreads) own[i] = 0;
  if (threadIdx.x == 0) none = 0;
  __syncthreads();
  const Lane lane(bins, own);
  const unsigned of_warp =
      __reduce_add_sync(~0u, count_own<T, kPower>(x, count, vectors, bins, lane));
  if (threadIdx.x % 32 == 0 && of_warp != 0) atomicAdd(&none, of_warp);
  __syncthreads();
  if (threadIdx.x == 0 && none != 0) atomicAdd(zeros, Counter{none});
  const int copies = 1 << bins.shift;
  for (int b = threadIdx.x; b < size; b += kHistogramThreads) {
    Counter sum = 0;
    for (int c = 0; c < copies; ++c) sum += own[(b << bins.shift) | ((c + b) & (copies - 1))];
    if (b == 0) sum -= none;
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

/// How to count, but for the copies; width 0 where only a division is right.
Bins bins_of(float width, int64_t bins) {
  constexpr float kUnits = 8388608.0f;  // 2^23
  const auto last = static_cast<float>(bins - 1), most = width * static_cast<float>(bins);
  int exponent = 0;
  if (width > 0.0f && width <= 0x1p100f && std::frexp(width, &exponent) == 0.5f) {
    return {width, 0.0f, last * width, kUnits * width, most, 0};
  }
  if (width >= 0x1p-100f && width <= 0x1p100f) {
    return {width, 1.0f / width, last, kUnits, most, 0};
  }
  return {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0};
}

template <typename T>
void launch_histogram(const T* x, int64_t count, float width, Counter* counts, int64_t bins,
                      Counter* zeros, void* stream) {
  const int64_t most =
      std::min(kHistogramBytes, device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin) - 1024);
  int64_t bytes = bins * static_cast<int64_t>(sizeof(unsigned));
  Bins how = bins_of(width, bins);
  if (bytes > most || how.width == 0.0f) {
    wide_histogram_kernel<<<blocks_for(ceil_div(count, 1 << 14)), kThreads, 0, as_stream(stream)>>>(
        x, count, width, counts, bins, zeros);
    return;
  }
  while (how.shift < 4 && bytes * 2 <= most) ++how.shift, bytes *= 2;
  const auto kernel = how.power() ? histogram_kernel<T, true> : histogram_kernel<T, false>;
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(bytes)) != cudaSuccess) {
    check_launch("histogram");
  }
  const int64_t useful = ceil_div(count, kHistogramThreads * 8);
  const int64_t blocks = std::min(useful, device_attribute(cudaDevAttrMultiProcessorCount));
  kernel<<<blocks_for(blocks), kHistogramThreads, static_cast<size_t>(bytes), as_stream(stream)>>>(
      x, count, aligned(x, 16), how, static_cast<int>(bins), counts, zeros);
}

}  // namespace

void histogram(const void* x, Dtype type, int64_t count, float width, int64_t* counts, int64_t bins,
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
