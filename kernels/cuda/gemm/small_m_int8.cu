// INT8 weights and INT8 activations, few rows; and what all kernels for few rows share on the host.
#include "kernels/cuda/gemm/small_m.cuh"

namespace octet::cuda {
namespace {

struct Int8Op {
  using X = int8_t;
  using Acc = int32_t;
  static constexpr int kPieces = 1;
  __device__ static void fragments(const uint4& top, const uint4& low, int /*piece*/,
                                   uint32_t (&a)[2][4]) {
    a[0][0] = top.x, a[0][1] = low.x, a[0][2] = top.y, a[0][3] = low.y;
    a[1][0] = top.z, a[1][1] = low.z, a[1][2] = top.w, a[1][3] = low.w;
  }
  __device__ static void mma(Acc (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    mma_int8(c, a, b0, b1);
  }
};

/// Any k and alignment: a warp an element of y.
__global__ void w8a8_plain_kernel(const int8_t* q, const int8_t* w, int64_t k, Output out) {
  wait_for_predecessor();
  const int lane = threadIdx.x % 32;
  const int64_t warps = int64_t{gridDim.x} * (kThreads / 32);
  for (int64_t i = blockIdx.x * int64_t{kThreads / 32} + threadIdx.x / 32; i < out.m * out.n;
       i += warps) {
    const int64_t token = i / out.n, column = i % out.n;
    int sum = 0;
    for (int64_t j = lane; j < k; j += 32) sum += int{q[token * k + j]} * int{w[column * k + j]};
    sum = __reduce_add_sync(~0u, sum);
    if (lane == 0) write(out, token, column, __int2float_rn(sum));
  }
}

}  // namespace

void refuse_many_rows(const char* what, int64_t m) {
  if (m <= kSmallMMost) return;
  throw Error(std::string(what) + " with " + std::to_string(m) + " rows",
              "at most " + std::to_string(kSmallMMost) + " rows", "use a GEMM");
}

int small_m_warps(int64_t blocks, int64_t turns) {
  const int64_t sms = device_attribute(cudaDevAttrMultiProcessorCount);
  return blocks >= 3 * sms || turns < 2 * kMostWarps ? kMostWarps / 2 : kMostWarps;
}

void w8a8_small_m(const int8_t* q, const float* row_scale, bool per_row, const int8_t* w,
                  const float* col_scale, const void* bias, Dtype type, int64_t m, int64_t n,
                  int64_t k, void* y, void* stream, bool overlap) {
  refuse_many_rows("w8a8_small_m", m);
  check_type(type, "w8a8_small_m");
  if (m <= 0 || n <= 0) return;
  const Output out{row_scale, per_row, col_scale, bias, type, m, n, y};
  if (k % 16 != 0 || !aligned(q, 16) || !aligned(w, 16)) {
    w8a8_plain_kernel<<<blocks_for(ceil_div(m * n, kThreads / 32)), kThreads, 0,
                        as_stream(stream)>>>(q, w, k, out);
  } else {
    with_shape(m, m * k > kNearBytes, [&](auto shape) {
      using S = decltype(shape);
      launch_small_m<S>(w8_small_m_kernel<Int8Op, S>, n, ceil_div(k, 64 * kW8Steps<S>), overlap,
                        stream, q, w, k, out);
    });
  }
  check_launch("w8a8_small_m");
}

}  // namespace octet::cuda
