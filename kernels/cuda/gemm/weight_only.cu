// INT8 weights with float activations: few rows directly, many rows through widened tiles.
#include "kernels/cuda/common.cuh"

namespace octet::cuda {
namespace {

template <typename T>
__global__ void dequantize_kernel(const int8_t* q, const float* scale, int64_t rows, int64_t k,
                                  T* out) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < rows * k; i += stride) {
    out[i] = from_float<T>(__fmul_rn(static_cast<float>(q[i]), scale[i / k]));
  }
}

constexpr int kCodes = 16;  // one 128-bit load of weights
constexpr int kWarps = kThreads / 32;

__device__ int8_t byte_of(const int4& codes, int i) {
  const int word = i / 4 == 0 ? codes.x : i / 4 == 1 ? codes.y : i / 4 == 2 ? codes.z : codes.w;
  return static_cast<int8_t>(word >> (i % 4 * 8));
}

/// A warp an output column: lanes take turns at 16 neighbouring codes, so that a warp reads 512
/// bytes of the row at once; a tail, or rows that are not 16-byte aligned, go code by code.
template <typename T, int kRows>
__global__ void gemv_kernel(const int8_t* q, const float* scale, const T* bias, const T* x,
                            int64_t n, int64_t k, bool aligned, T* y) {
  const int lane = threadIdx.x % 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t j = blockIdx.x * int64_t{kWarps} + threadIdx.x / 32; j < n; j += warps) {
    const int8_t* row = q + j * k;
    float sum[kRows] = {};
    const int64_t whole = aligned ? k / kCodes * kCodes : 0;
    for (int64_t i = int64_t{lane} * kCodes; i < whole; i += 32 * kCodes) {
      const int4 codes = *reinterpret_cast<const int4*>(row + i);
#pragma unroll
      for (int b = 0; b < kCodes; ++b) {
        const float w = static_cast<float>(byte_of(codes, b));
#pragma unroll
        for (int r = 0; r < kRows; ++r) sum[r] = fmaf(to_float(x[r * k + i + b]), w, sum[r]);
      }
    }
    for (int64_t i = whole + lane; i < k; i += 32) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        sum[r] = fmaf(to_float(x[r * k + i]), static_cast<float>(row[i]), sum[r]);
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      for (int step = 16; step > 0; step /= 2) sum[r] += __shfl_xor_sync(~0u, sum[r], step);
      if (lane == 0) {
        const float v = __fmul_rn(sum[r], scale[j]);
        y[r * n + j] = from_float<T>(bias == nullptr ? v : __fadd_rn(v, to_float(bias[j])));
      }
    }
  }
}

template <typename T, int kRows>
void launch_gemv(const int8_t* q, const float* scale, const T* bias, const T* x, int64_t m,
                 int64_t n, int64_t k, T* y, cudaStream_t stream) {
  if (m == kRows) {
    const bool aligned = k % kCodes == 0 && reinterpret_cast<uintptr_t>(q) % kCodes == 0;
    gemv_kernel<T, kRows><<<blocks_for(ceil_div(n, kWarps)), kThreads, 0, stream>>>(
        q, scale, bias, x, n, k, aligned, y);
  } else if constexpr (kRows > 1) {
    launch_gemv<T, kRows - 1>(q, scale, bias, x, m, n, k, y, stream);
  }
}

}  // namespace

void widen_int8_rows(const int8_t* q, const float* scale, int64_t rows, int64_t k, Dtype type,
                     void* out, void* stream) {
  if (rows <= 0 || k <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    dequantize_kernel<<<blocks_for(ceil_div(rows * k, kThreads)), kThreads, 0, as_stream(stream)>>>(
        q, scale, rows, k, static_cast<T*>(out));
  });
  check_launch("widen_int8_rows");
}

void w8a16_gemv(const int8_t* q, const float* scale, const void* bias, const void* x, Dtype type,
                int64_t m, int64_t n, int64_t k, void* y, void* stream) {
  if (m <= 0 || n <= 0) return;
  if (m > 8) {
    throw Error("w8a16_gemv with " + std::to_string(m) + " rows", "at most 8 rows",
                "widen tiles of rows and use a GEMM");
  }
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    launch_gemv<T, 8>(q, scale, static_cast<const T*>(bias), static_cast<const T*>(x), m, n, k,
                      static_cast<T*>(y), as_stream(stream));
  });
  check_launch("w8a16_gemv");
}

}  // namespace octet::cuda
