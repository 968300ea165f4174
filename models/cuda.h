// The bridge from tensors to kernels/cuda: pointers, dtype and torch's current stream.
#pragma once
#include <ATen/core/Tensor.h>

#include "kernels/cuda/kernels.h"
#include "models/linear.h"

namespace octet {

cuda::Type cuda_type(
    const at::Tensor& x);     ///< Error for dtypes other than float32, float16, bfloat16
void* current_cuda_stream();  ///< cudaStream_t of torch's current device
/// x [rows, k] contiguous on the device -> out.q, and out.scale for kInt8Token.
void cuda_quantize(const at::Tensor& x, Format format, Activation& out);

}  // namespace octet
