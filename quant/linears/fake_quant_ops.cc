#include "quant/linears/fake_quant_ops.h"

#include <ATen/ATen.h>

#include "kernels/cpu/rows/fake_quant.h"
#include "kernels/cpu/weights/quantize_weights.h"
#include "kernels/cuda/rows/fake_quant.h"
#include "models/run/cuda.h"

namespace octet {
namespace {

void round_trip_on_cpu(const at::Tensor& weight, const Scheme& scheme, const at::Tensor& scale,
                       at::Tensor& values, at::Tensor& inside) {
  values = at::empty_like(weight);
  inside = at::empty(weight.sizes(), at::kByte);
  const at::Tensor scales = scale.contiguous();
  cpu::round_trip(weight.const_data_ptr<float>(), weight.size(0), weight.size(1),
                  {scheme.weight.element, scheme.weight.group, false, Dtype::kF32},
                  scales.const_data_ptr<float>(), values.data_ptr<float>(),
                  inside.data_ptr<uint8_t>());
}

at::Tensor dequantize_on_cpu(const at::Tensor& q, const at::Tensor& scale) {
  at::Tensor out = at::empty(q.sizes(), q.options().dtype(at::kFloat));
  const at::Tensor scales = scale.contiguous();
  cpu::dequantize_weights(q.const_data_ptr<int8_t>(), q.size(0), q.size(1),
                          scales.const_data_ptr<float>(), scale.size(0) == q.size(0),
                          out.data_ptr<float>());
  return out;
}

// Codes again from the value and the scale that gave them: one pass, and q may be dropped.
at::Tensor coded_on_gpu(const at::Tensor& x, const at::Tensor& scale, at::ScalarType dtype) {
  at::Tensor out = at::empty(x.sizes(), x.options().dtype(dtype));
  if (scale.size(0) == x.size(0) && x.size(0) != 1) {
    cuda::fake_quant_rows(x.const_data_ptr(), cuda_type(x), x.size(0), x.size(1), cuda_type(dtype),
                          out.data_ptr(), nullptr, current_cuda_stream());
  } else {
    cuda::fake_quant_tensor(x.const_data_ptr(), cuda_type(x), x.numel(),
                            scale.const_data_ptr<float>(), cuda_type(dtype), out.data_ptr(),
                            current_cuda_stream());
  }
  return out;
}

}  // namespace

void round_trip(const at::Tensor& weight, const Scheme& scheme, const at::Tensor& scale,
                at::ScalarType compute, at::Tensor& values, at::Tensor& inside) {
  if (weight.is_cpu()) {
    round_trip_on_cpu(weight, scheme, scale, values, inside);
    values = values.to(compute);
    return;
  }
  values = at::empty(weight.sizes(), weight.options().dtype(compute));
  inside = at::empty(weight.sizes(), weight.options().dtype(at::kByte));
  const at::Tensor master = weight.contiguous(), scales = scale.contiguous();
  cuda::fake_quant_weights(master.const_data_ptr<float>(), scales.const_data_ptr<float>(),
                           weight.size(0), weight.size(1), scale.size(1), scheme.weight.element,
                           cuda_type(compute), values.data_ptr(), inside.data_ptr<uint8_t>(),
                           current_cuda_stream());
}

at::Tensor coded_input(const at::Tensor& x, const at::Tensor& q, const at::Tensor& scale,
                       at::ScalarType dtype) {
  if (!q.defined()) return x.to(dtype);
  if (q.is_cpu() && dtype == at::kFloat) return dequantize_on_cpu(q, scale);
  if (x.defined() && has_cuda_kernel(x)) return coded_on_gpu(x, scale, dtype);
  return at::mul(q, scale.size(0) == q.size(0) ? scale.unsqueeze(1) : scale).to(dtype);
}

at::Tensor mask_weights(const at::Tensor& gradient, const at::Tensor& inside) {
  if (gradient.is_cpu()) {
    at::Tensor masked = gradient.to(at::kFloat);
    cpu::mask_gradient(inside.const_data_ptr<uint8_t>(), masked.numel(), masked.data_ptr<float>());
    return masked;
  }
  if (has_cuda_kernel(gradient)) {
    at::Tensor masked = gradient.scalar_type() == at::kFloat
                            ? gradient
                            : at::empty(gradient.sizes(), gradient.options().dtype(at::kFloat));
    cuda::mask_gradient(gradient.const_data_ptr(), cuda_type(gradient),
                        inside.const_data_ptr<uint8_t>(), gradient.numel(),
                        masked.data_ptr<float>(), current_cuda_stream());
    return masked;
  }
  return gradient.to(at::kFloat) * inside;
}

at::Tensor mask_inputs(const at::Tensor& gradient, const at::Tensor& x, double limit) {
  const bool plain =
      gradient.is_contiguous() && x.is_contiguous() && gradient.scalar_type() == x.scalar_type();
  if (plain && gradient.is_cpu() && gradient.scalar_type() == at::kFloat) {
    cpu::mask_beyond(x.const_data_ptr<float>(), static_cast<float>(limit), x.numel(),
                     gradient.data_ptr<float>());
    return gradient;
  }
  if (plain && has_cuda_kernel(x)) {
    cuda::mask_beyond(x.const_data_ptr(), cuda_type(x), static_cast<float>(limit), x.numel(),
                      gradient.data_ptr(), current_cuda_stream());
    return gradient;
  }
  return at::hardtanh_backward(gradient, x, -limit, limit);
}

}  // namespace octet
