// The bridge from tensors to kernels/cuda: pointers, dtype and torch's current stream.
#pragma once
#include <ATen/core/Tensor.h>

#include <string_view>

#include "kernels/cuda/kernels.h"
#include "models/run/linear.h"

namespace octet {

/// As the kernels name it; Error for dtypes other than float32, float16, bfloat16.
Dtype cuda_type(at::ScalarType dtype);
Dtype cuda_type(const at::Tensor& x);
void* current_cuda_stream();  ///< cudaStream_t of torch's current device
/// x [rows, k] contiguous on the device -> out.q, and out.scale where it is per token.
void cuda_quantize(const at::Tensor& x, Format format, Activation& out);

/// What a fused producer reads and hands over. delta and bias may be undefined (no residual; RMS);
/// weight and bias are of x's type (else octet::Error), delta is widened to it.
struct CudaNorm {
  at::Tensor x, delta, weight, bias;
  double eps = 0;
  Format format = Format::kFloat;
  at::Tensor input_scale;   ///< of a format per tensor
  bool keep_value = false;  ///< the float value, too
};
/// sum = x + delta (x itself without one) and the normed sum, in one pass
/// (kernels/cuda/rows/row_kernels.h).
struct CudaNormed {
  at::Tensor sum;
  Activation out;
};
CudaNormed cuda_norm(const CudaNorm& in);
/// act(gate) * up of gate_up [.., 2k], or act alone of [.., k]; act as activate() takes it, all of
/// which have a kernel.
Activation cuda_gate(const at::Tensor& gate_up, int64_t k, std::string_view act,
                     const Linear& reader);
/// True for contiguous tensors on a GPU of a dtype that the kernels take, with elements.
bool has_cuda_kernel(const at::Tensor& x);

}  // namespace octet
