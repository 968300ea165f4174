// The producers' arithmetic on tensors: picks the fused kernel (CPU float32, CUDA) or
// differentiable ops.
#pragma once
#include <ATen/core/Tensor.h>

#include <string_view>
#include <vector>

#include "models/activation_kind.h"
#include "models/run/linear.h"

namespace octet {

/// All sizes but the last.
std::vector<int64_t> leading_sizes(const at::Tensor& x);

/// value [..., K] in the format wanted. keep: also keep the float value. input_scale: float32 [1]
/// for a format per tensor. Convention: kernels/cpu/rows/quantize.h.
Activation to_format(const at::Tensor& value, Format format, const at::Tensor& input_scale,
                     bool keep);

/// RMSNorm over the last dimension; differentiable ops.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double eps);
/// act(gate) * up or act(x); differentiable ops. Error for an unknown activation.
at::Tensor activate(const at::Tensor& gate_up, int64_t k, std::string_view act);

/// Fused CPU float32 producers (no gradients, contiguous input): same bits as float op then
/// to_format. Codes other than I8 are made by just these two steps.
Activation fused_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, Format format,
                          const at::Tensor& input_scale);
Activation fused_silu_mul(const at::Tensor& gate_up, int64_t k, Format format,
                          const at::Tensor& input_scale);

/// LayerNorm of x + delta (delta may be undefined). The normed value is kept, whatever the format.
Activation fused_layer_norm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight,
                            const at::Tensor& bias, double eps, Format format,
                            const at::Tensor& input_scale);
/// relu, silu or swish alone; see has_fused_activation.
Activation fused_activation(const at::Tensor& x, std::string_view act, Format format,
                            const at::Tensor& input_scale);
bool has_fused_activation(std::string_view act);

}  // namespace octet
