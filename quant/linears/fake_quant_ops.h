// The passes over memory of a fake-quantized linear, by the kernels of the device.
#pragma once
#include <ATen/core/Tensor.h>

#include "quant/schemes/scheme.h"

namespace octet {

/// weight float32 [n, k], scale float32 [n, groups] -> values = scale * code [n, k] in `compute`
/// and inside uint8 [n, k]: 1 where the code was not clamped.
void round_trip(const at::Tensor& weight, const Scheme& scheme, const at::Tensor& scale,
                at::ScalarType compute, at::Tensor& values, at::Tensor& inside);

/// scale * code of a linear's input [tokens, K] in `dtype`: of q where it is defined, else x
/// itself. x may be undefined where q is not; both have the same codes.
at::Tensor coded_input(const at::Tensor& x, const at::Tensor& q, const at::Tensor& scale,
                       at::ScalarType dtype);

/// float32: the gradient [n, k] where `inside`, else 0. May reuse the gradient's memory.
at::Tensor mask_weights(const at::Tensor& gradient, const at::Tensor& inside);

/// The gradient where |x| < limit, else 0. May reuse its memory.
at::Tensor mask_inputs(const at::Tensor& gradient, const at::Tensor& x, double limit);

}  // namespace octet
