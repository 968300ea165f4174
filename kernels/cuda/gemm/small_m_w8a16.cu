// INT8 weights and 16-bit float activations, few rows: codes are dequantized in registers, exactly.
#include "kernels/cuda/gemm/dequantize.cuh"
#include "kernels/cuda/gemm/small_m.cuh"
#include "kernels/cuda/gemm/w8a16_ring.h"

namespace octet::cuda {
namespace {

template <typename T>
struct DequantizeOp {
  using X = T;
  using Acc = float;
  static constexpr int kPieces = 2;
  __device__ static void fragment(uint32_t top, uint32_t low, uint32_t (&a)[4]) {
    a[0] = dequantize(T{}, top, false), a[1] = dequantize(T{}, low, false);
    a[2] = dequantize(T{}, top, true), a[3] = dequantize(T{}, low, true);
  }
  __device__ static void fragments(const uint4& top, const uint4& low, int piece,
                                   uint32_t (&a)[2][4]) {
    fragment(piece == 0 ? top.x : top.z, piece == 0 ? low.x : low.z, a[0]);
    fragment(piece == 0 ? top.y : top.w, piece == 0 ? low.y : low.w, a[1]);
  }
  __device__ static void mma(Acc (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    mma_float<T>(c, a, b0, b1);
  }
};

/// float32, and k or pointers that no vector load fits.
void w8a16_plain(const void* x, const int8_t* w, const float* scale, const void* bias, Dtype type,
                 int64_t m, int64_t n, int64_t k, void* y, void* stream) {
  constexpr int64_t kMost = 8;
  const int64_t size = byte_size(type);
  for (int64_t row = 0; row < m; row += kMost) {
    w8a16_gemv(w, scale, bias, static_cast<const char*>(x) + row * k * size, type,
               m - row < kMost ? m - row : kMost, n, k, static_cast<char*>(y) + row * n * size,
               stream);
  }
}

}  // namespace

void w8a16_small_m(const void* x, const int8_t* w, const float* scale, const void* bias, Dtype type,
                   int64_t m, int64_t n, int64_t k, void* y, void* stream, bool overlap) {
  refuse_many_rows("w8a16_small_m", m);
  check_type(type, "w8a16_small_m");
  if (m <= 0 || n <= 0) return;
  if (type == Dtype::kF32 || k % 16 != 0 || !aligned(x, 16) || !aligned(w, 16)) {
    return w8a16_plain(x, w, scale, bias, type, m, n, k, y, stream);
  }
#ifdef OCTET_SM90_GEMM
  if (w8a16_ring(x, w, scale, bias, type, m, n, k, y, stream, overlap)) return;
#endif
  const Output out{nullptr, false, scale, bias, type, m, n, y};
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!std::is_same_v<T, float>) {
      with_shape(m, m * k * static_cast<int64_t>(sizeof(T)) > kNearBytes, [&](auto shape) {
        using S = decltype(shape);
        launch_small_m<S>(w8_small_m_kernel<DequantizeOp<T>, S>, n, ceil_div(k, 64 * kW8Steps<S>),
                          overlap, stream, static_cast<const T*>(x), w, k, out);
      });
    }
  });
  check_launch("w8a16_small_m");
}

}  // namespace octet::cuda
