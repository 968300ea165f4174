// Activations to codes and sums back to values. Conventions: kernels/cpu/quantize.h.
#include "kernels/cuda/common.cuh"

namespace octet::cuda {
namespace {

constexpr unsigned kInfinityBits = 0x7f800000u;

/// The divisions are IEEE ones, so codes equal the CPU's for the same values.
__device__ int8_t code(float x, float scale) {
  if (scale != scale) return 0;
  const float v = rintf(__fdiv_rn(x, scale));
  if (v != v) return 0;
  return static_cast<int8_t>(fminf(fmaxf(v, -127.0f), 127.0f));
}

/// absmax / 127 from the bits of the largest magnitude, NaN and Inf ordering above all numbers.
__device__ float scale_of(unsigned top) {
  if (top >= kInfinityBits) return __int_as_float(0x7fc00000);
  const float absmax = __uint_as_float(top);
  float scale = __fdiv_rn(absmax, 127.0f);
  if (scale == 0.0f) return 1.0f;
  while (__fdiv_rn(absmax, scale) > 127.5f) scale = __uint_as_float(__float_as_uint(scale) + 1);
  return scale;
}

__device__ unsigned block_max(unsigned top) {
  __shared__ unsigned of_warp[kThreads / 32];
  top = __reduce_max_sync(~0u, top);
  __syncthreads();  // the last row's readers are done
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = top;
  __syncthreads();
  unsigned best = 0;
  for (int i = 0; i < kThreads / 32; ++i) best = max(best, of_warp[i]);
  return best;
}

/// A block a row.
template <typename T>
__global__ void quantize_rows_kernel(const T* x, int64_t rows, int64_t k, int8_t* q, float* scale) {
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const T* row = x + r * k;
    unsigned top = 0;
    for (int64_t j = threadIdx.x; j < k; j += kThreads) {
      top = max(top, __float_as_uint(to_float(row[j])) & 0x7fffffffu);
    }
    const float s = scale_of(block_max(top));
    if (threadIdx.x == 0) scale[r] = s;
    for (int64_t j = threadIdx.x; j < k; j += kThreads) q[r * k + j] = code(to_float(row[j]), s);
  }
}

template <typename T>
__global__ void quantize_tensor_kernel(const T* x, int64_t count, const float* scale, int8_t* q) {
  const float s = *scale;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < count; i += stride) {
    q[i] = code(to_float(x[i]), s);
  }
}

/// Products and sum are rounded one by one, as on the CPU.
template <typename T>
__global__ void dequantize_kernel(const int32_t* acc, int64_t ld, int64_t m, int64_t n,
                                  const float* row_scale, bool per_row, const float* col_scale,
                                  const T* bias, T* y) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < m * n; i += stride) {
    const int64_t row = i / n, column = i % n;
    float v = __fmul_rn(__int2float_rn(acc[row * ld + column]), row_scale[per_row ? row : 0]);
    v = __fmul_rn(v, col_scale[column]);
    if (bias != nullptr) v = __fadd_rn(v, to_float(bias[column]));
    y[i] = from_float<T>(v);
  }
}

}  // namespace

void quantize_rows(const void* x, Type type, int64_t rows, int64_t k, int8_t* q, float* scale,
                   void* stream) {
  if (rows <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    quantize_rows_kernel<<<blocks_for(rows), kThreads, 0, as_stream(stream)>>>(
        static_cast<const T*>(x), rows, k, q, scale);
  });
  check_launch("quantize_rows");
}

void quantize_tensor(const void* x, Type type, int64_t count, const float* scale, int8_t* q,
                     void* stream) {
  if (count <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    quantize_tensor_kernel<<<blocks_for(ceil_div(count, kThreads)), kThreads, 0,
                             as_stream(stream)>>>(static_cast<const T*>(x), count, scale, q);
  });
  check_launch("quantize_tensor");
}

void dequantize(const int32_t* acc, int64_t ld, int64_t m, int64_t n, const float* row_scale,
                bool per_row, const float* col_scale, const void* bias, Type type, void* y,
                void* stream) {
  if (m <= 0 || n <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    dequantize_kernel<<<blocks_for(ceil_div(m * n, kThreads)), kThreads, 0, as_stream(stream)>>>(
        acc, ld, m, n, row_scale, per_row, col_scale, static_cast<const T*>(bias),
        static_cast<T*>(y));
  });
  check_launch("dequantize");
}

}  // namespace octet::cuda
