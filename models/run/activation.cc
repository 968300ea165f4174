#include "models/run/activation.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "kernels/cpu/rows/quantize.h"
#include "models/run/cuda.h"
#include "models/torch_dtype.h"

namespace octet {
namespace {

// q and scale to be filled for rows x k values; a format per tensor takes the given scale.
Activation quantized_like(const at::Tensor& x, int64_t rows, int64_t k, Format format,
                          const at::Tensor& input_scale, std::vector<int64_t> leading) {
  Activation out;
  out.q = at::empty({rows, k}, x.options().dtype(torch_dtype(format.element.value())));
  out.scale = format.per_token() ? at::empty({rows}, x.options().dtype(at::kFloat)) : input_scale;
  out.leading = std::move(leading);
  return out;
}

void quantize_cpu(const float* x, int64_t rows, int64_t k, Format format, Activation& out) {
  if (format.element != Dtype::kI8) refuse_dtype(*format.element, "inputs", "I8");
  if (format.per_token()) {
    cpu::quantize_rows(x, rows, k, out.q.data_ptr<int8_t>(), out.scale.data_ptr<float>());
  } else {
    cpu::quantize_tensor(x, rows * k, out.scale.item<float>(), out.q.data_ptr<int8_t>());
  }
}

}  // namespace

std::vector<int64_t> leading_sizes(const at::Tensor& x) {
  return {x.sizes().begin(), x.sizes().end() - 1};
}

Activation to_format(const at::Tensor& value, Format format, const at::Tensor& input_scale,
                     bool keep) {
  if (!format.quantized()) return {value, {}, {}, leading_sizes(value)};
  const int64_t k = value.size(-1), rows = value.numel() / std::max<int64_t>(k, 1);
  const at::Tensor flat = value.detach().reshape({rows, k}).contiguous();
  Activation out = quantized_like(flat, rows, k, format, input_scale, leading_sizes(value));
  if (keep) out.value = value;
  if (flat.is_cuda()) {
    cuda_quantize(flat, format, out);
    return out;
  }
  const at::Tensor f32 = flat.to(at::kFloat);
  quantize_cpu(f32.data_ptr<float>(), rows, k, format, out);
  return out;
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
  const at::Tensor inverse = at::rsqrt(at::mean(wide * wide, {-1}, true) + eps);
  return (wide * inverse).to(x.scalar_type()) * weight.to(x.scalar_type());
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double eps) {
  return at::layer_norm(x, {x.size(-1)}, weight, bias, eps);
}

at::Tensor activate(const at::Tensor& gate_up, int64_t k, std::string_view act) {
  const bool gated = gate_up.size(-1) == 2 * k;
  const at::Tensor gate = gated ? gate_up.narrow(-1, 0, k) : gate_up;
  const auto kind = activation_kind(act);
  if (!kind) {
    throw Error(fmt::format("activation \"{}\"", act), "silu, swish, gelu, gelu_tanh or relu",
                "this checkpoint needs an activation that octet does not run");
  }
  at::Tensor y;
  switch (*kind) {
    case ActivationKind::kSilu:
      y = at::silu(gate);
      break;
    case ActivationKind::kGelu:
      y = at::gelu(gate);
      break;
    case ActivationKind::kGeluTanh:
      y = at::gelu(gate, "tanh");
      break;
    case ActivationKind::kRelu:
      y = at::relu(gate);
      break;
  }
  return gated ? y * gate_up.narrow(-1, k, k) : y;
}

Activation fused_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, Format format,
                          const at::Tensor& input_scale) {
  const int64_t k = x.size(-1), rows = x.numel() / k;
  const auto* in = x.data_ptr<float>();
  const auto* w = weight.data_ptr<float>();
  const auto e = static_cast<float>(eps);
  if (format.element != Dtype::kI8) {
    at::Tensor y = at::empty_like(x);
    cpu::rms_norm(in, w, e, rows, k, y.data_ptr<float>());
    return to_format(y, format, input_scale, false);
  }
  Activation out = quantized_like(x, rows, k, format, input_scale, leading_sizes(x));
  if (format.per_token()) {
    cpu::rms_norm_quantize_rows(in, w, e, rows, k, out.q.data_ptr<int8_t>(),
                                out.scale.data_ptr<float>());
  } else {
    cpu::rms_norm_quantize_tensor(in, w, e, rows, k, out.scale.item<float>(),
                                  out.q.data_ptr<int8_t>());
  }
  return out;
}

Activation fused_silu_mul(const at::Tensor& gate_up, int64_t k, Format format,
                          const at::Tensor& input_scale) {
  const int64_t rows = gate_up.numel() / (2 * k);
  const auto* in = gate_up.data_ptr<float>();
  auto leading = leading_sizes(gate_up);
  if (format.element != Dtype::kI8) {
    auto sizes = leading;
    sizes.push_back(k);
    at::Tensor y = at::empty(sizes, gate_up.options());
    cpu::silu_mul(in, rows, k, y.data_ptr<float>());
    return to_format(y, format, input_scale, false);
  }
  Activation out = quantized_like(gate_up, rows, k, format, input_scale, std::move(leading));
  if (format.per_token()) {
    cpu::silu_mul_quantize_rows(in, rows, k, out.q.data_ptr<int8_t>(), out.scale.data_ptr<float>());
  } else {
    cpu::silu_mul_quantize_tensor(in, rows, k, out.scale.item<float>(), out.q.data_ptr<int8_t>());
  }
  return out;
}

Activation fused_layer_norm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight,
                            const at::Tensor& bias, double eps, Format format,
                            const at::Tensor& input_scale) {
  const int64_t k = x.size(-1), rows = x.numel() / k;
  const auto* in = x.const_data_ptr<float>();
  const auto* added = delta.defined() ? delta.const_data_ptr<float>() : nullptr;
  const auto* w = weight.const_data_ptr<float>();
  const auto* b = bias.const_data_ptr<float>();
  const auto e = static_cast<float>(eps);
  at::Tensor y = at::empty_like(x);
  if (format.element != Dtype::kI8) {
    cpu::layer_norm(in, added, w, b, e, rows, k, y.data_ptr<float>());
    return to_format(y, format, input_scale, true);
  }
  Activation out = quantized_like(x, rows, k, format, input_scale, leading_sizes(x));
  out.value = y;
  if (format.per_token()) {
    cpu::layer_norm_quantize_rows(in, added, w, b, e, rows, k, y.data_ptr<float>(),
                                  out.q.data_ptr<int8_t>(), out.scale.data_ptr<float>());
  } else {
    cpu::layer_norm_quantize_tensor(in, added, w, b, e, rows, k, out.scale.item<float>(),
                                    y.data_ptr<float>(), out.q.data_ptr<int8_t>());
  }
  return out;
}

bool has_fused_activation(std::string_view act) {
  const auto kind = activation_kind(act);
  return kind == ActivationKind::kRelu || kind == ActivationKind::kSilu;
}

Activation fused_activation(const at::Tensor& x, std::string_view act, Format format,
                            const at::Tensor& input_scale) {
  const int64_t k = x.size(-1), rows = x.numel() / k;
  const auto kind = activation_kind(act) == ActivationKind::kRelu ? cpu::RowActivation::kRelu
                                                                  : cpu::RowActivation::kSilu;
  const auto* in = x.const_data_ptr<float>();
  if (format.element != Dtype::kI8) {
    at::Tensor y = at::empty_like(x);
    cpu::activate_rows(kind, in, rows, k, y.data_ptr<float>());
    return to_format(y, format, input_scale, false);
  }
  Activation out = quantized_like(x, rows, k, format, input_scale, leading_sizes(x));
  if (format.per_token()) {
    cpu::activate_quantize_rows(kind, in, rows, k, out.q.data_ptr<int8_t>(),
                                out.scale.data_ptr<float>());
  } else {
    cpu::activate_quantize_tensor(kind, in, rows, k, out.scale.item<float>(),
                                  out.q.data_ptr<int8_t>());
  }
  return out;
}

}  // namespace octet
