// The epilogue shared by the CUTLASS kernels: sums to 16-bit floats.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cutlass/array.h>
#include <cutlass/half.h>

namespace octet::cuda {

struct DequantizeArguments {
  bool bfloat16 = false;
  bool has_bias = false;
};

/// (acc * row) * col + bias in FP16 or BF16, chosen at run time so that one kernel serves both: the
/// bits of either travel as half_t. Roundings are those of cuda::dequantize.
template <typename T>
struct Dequantize;

template <int kCount>
struct Dequantize<cutlass::Array<float, kCount>> {
  using Arguments = DequantizeArguments;
  using Values = cutlass::Array<float, kCount>;
  CUTLASS_DEVICE cutlass::Array<cutlass::half_t, kCount> operator()(const Values& sum,
                                                                    const Values& row,
                                                                    const Values& col,
                                                                    const Values& bias,
                                                                    const Arguments& args) const {
    cutlass::Array<cutlass::half_t, kCount> out;
    CUTLASS_PRAGMA_UNROLL
    for (int i = 0; i < kCount; ++i) {
      float v = __fmul_rn(__fmul_rn(sum[i], row[i]), col[i]);
      if (args.has_bias) v = __fadd_rn(v, bias[i]);
      const uint16_t bits = args.bfloat16 ? __bfloat16_as_ushort(__float2bfloat16_rn(v))
                                          : __half_as_ushort(__float2half_rn(v));
      out[i] = cutlass::half_t::bitcast(bits);
    }
    return out;
  }
};
template <>
struct Dequantize<float> : Dequantize<cutlass::Array<float, 1>> {};

}  // namespace octet::cuda
