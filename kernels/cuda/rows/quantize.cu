// Activations to codes and sums back to values. Conventions: kernels/cpu/rows/quantize.h.
#include "kernels/cuda/rows/row_block.cuh"

namespace octet::cuda {
namespace {

template <typename Element>
struct QuantizeRows {
  using T = Element;
  static constexpr bool kAnyCut = true;
  static constexpr int kMatrices = 1;
  const T* x;
  int64_t k;
  RowTarget to;

  template <typename C>
  __device__ void load(int64_t r, Vec8<T>* held) const {
    load_row<C>(x + r * k, k, held);
  }
  template <typename C>
  __device__ void row(int64_t r, const Vec8<T>* held, Exchange& exchange) const {
    finish_row<C>(held, r, k, to, exchange);
  }
  __device__ void elements(int64_t r, Exchange& exchange) const {
    finish_elements<T>([&](int64_t j) { return to_float(x[r * k + j]); }, r, k, to, exchange);
  }
};

template <typename T>
struct QuantizeTensor {
  using Raw = Vec8<T>;
  const T* x;
  const float* scale;
  int8_t* q;

  __device__ Raw load(int64_t i) const { return load8(x + i); }
  __device__ void apply(int64_t i, const Raw& raw) const {
    float v[8];
    widen8(raw, v);
    *reinterpret_cast<uint2*>(q + i) = Coder<true, T>(__ldg(scale)).codes(v);
  }
  __device__ void one(int64_t i) const { q[i] = code(to_float(x[i]), *scale); }
};

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

void quantize_rows(const void* x, Dtype type, int64_t rows, int64_t k, int8_t* q, float* scale,
                   void* stream) {
  if (rows <= 0) return;
  const RowTarget to{q, scale, true, nullptr};
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    launch_rows(QuantizeRows<T>{static_cast<const T*>(x), k, to}, rows, k,
                takes_vectors(to, k) && aligned(x, 16), stream, "quantize_rows");
  });
}

void quantize_tensor(const void* x, Dtype type, int64_t count, const float* scale, int8_t* q,
                     void* stream) {
  if (count <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    launch_elements(QuantizeTensor<T>{static_cast<const T*>(x), scale, q}, count,
                    aligned(x, 16) && aligned(q, 8), stream, "quantize_tensor");
  });
}

void dequantize(const int32_t* acc, int64_t ld, int64_t m, int64_t n, const float* row_scale,
                bool per_row, const float* col_scale, const void* bias, Dtype type, void* y,
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
