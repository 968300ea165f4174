#include "models/run/cuda.h"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include "core/error.h"
#include "kernels/cuda/rows/row_kernels.h"
#include "models/run/activation.h"
#include "models/torch_dtype.h"

namespace octet {

Dtype cuda_type(at::ScalarType dtype) {
  const Dtype type = container_dtype(dtype);
  if (is_compute_dtype(type)) return type;
  throw Error(fmt::format("a {} tensor on the GPU", c10::toString(dtype)),
              "float32, float16 or bfloat16", "choose another --dtype");
}

Dtype cuda_type(const at::Tensor& x) {
  return cuda_type(x.scalar_type());
}

void* current_cuda_stream() {
  // Through the device guard interface: libc10_cuda is loaded at run time only.
  const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
  return guard.getStreamNativeHandle(guard.getStream(guard.getDevice()));
}

namespace {

// The row kernels write no other codes.
void require_int8(const Format& format) {
  if (format.element != Dtype::kI8) refuse_dtype(format.element.value(), "a CUDA kernel", "I8");
}

const void* given(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr() : nullptr;
}

cuda::RowActivation row_activation(std::string_view act) {
  switch (activation_kind(act).value()) {
    case ActivationKind::kSilu:
      return cuda::RowActivation::kSilu;
    case ActivationKind::kGelu:
      return cuda::RowActivation::kGelu;
    case ActivationKind::kGeluTanh:
      return cuda::RowActivation::kGeluTanh;
    case ActivationKind::kRelu:
      return cuda::RowActivation::kRelu;
  }
  return cuda::RowActivation::kRelu;
}

// Room for `rows` x `k` results of a fused kernel, and where it puts them.
cuda::RowTarget target(const at::Tensor& like, std::vector<int64_t> leading, int64_t k,
                       Format format, const at::Tensor& input_scale, bool value, Activation& out) {
  const int64_t rows = c10::multiply_integers(leading);
  cuda::RowTarget to{nullptr, nullptr, format.per_token(), nullptr};
  if (format.quantized()) {
    require_int8(format);
    out.q = at::empty({rows, k}, like.options().dtype(at::kChar));
    out.scale = to.per_row ? at::empty({rows}, like.options().dtype(at::kFloat)) : input_scale;
    to.q = out.q.data_ptr<int8_t>(), to.scale = out.scale.data_ptr<float>();
  }
  out.leading = leading;
  if (value || !format.quantized()) {
    leading.push_back(k);
    out.value = at::empty(leading, like.options());
    to.value = out.value.data_ptr();
  }
  return to;
}

}  // namespace

bool has_cuda_kernel(const at::Tensor& x) {
  return x.is_cuda() && x.is_contiguous() && x.numel() > 0 &&
         (x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16 ||
          x.scalar_type() == at::kFloat);
}

CudaNormed cuda_norm(const CudaNorm& in) {
  const int64_t k = in.x.size(-1), rows = in.x.numel() / k;
  for (const at::Tensor& vector : {in.weight, in.bias}) {
    if (vector.defined() && (vector.scalar_type() != in.x.scalar_type() || vector.numel() != k)) {
      throw Error(
          fmt::format("a norm's {} values of {} for rows of {} of {}", vector.numel(),
                      c10::toString(vector.scalar_type()), k, c10::toString(in.x.scalar_type())),
          "as many values of the rows' type", "this is a defect in octet: please report it");
    }
  }
  // Under autocast products are narrower than the sum they are added to.
  const at::Tensor delta = in.delta.defined() ? in.delta.to(in.x.scalar_type()) : in.delta;
  CudaNormed made;
  made.sum = delta.defined() ? at::empty_like(in.x) : in.x;
  void* sum = delta.defined() ? made.sum.data_ptr() : nullptr;
  const cuda::RowTarget to =
      target(in.x, leading_sizes(in.x), k, in.format, in.input_scale, in.keep_value, made.out);
  const auto eps = static_cast<float>(in.eps);
  if (in.bias.defined()) {
    cuda::layer_norm_rows(in.x.const_data_ptr(), given(delta), in.weight.const_data_ptr(),
                          in.bias.const_data_ptr(), eps, cuda_type(in.x), rows, k, sum, to,
                          current_cuda_stream());
  } else {
    cuda::rms_norm_rows(in.x.const_data_ptr(), given(delta), in.weight.const_data_ptr(), eps,
                        cuda_type(in.x), rows, k, sum, to, current_cuda_stream());
  }
  return made;
}

Activation cuda_gate(const at::Tensor& gate_up, int64_t k, std::string_view act,
                     const Linear& reader) {
  Activation out;
  const cuda::RowTarget to =
      target(gate_up, leading_sizes(gate_up), k, reader.wants(), reader.input_scale(), false, out);
  const auto run = gate_up.size(-1) == 2 * k ? cuda::gate_rows : cuda::activate_rows;
  run(row_activation(act), gate_up.const_data_ptr(), cuda_type(gate_up),
      c10::multiply_integers(out.leading), k, to, current_cuda_stream());
  return out;
}

void cuda_quantize(const at::Tensor& x, Format format, Activation& out) {
  require_int8(format);
  if (format.per_token()) {
    cuda::quantize_rows(x.data_ptr(), cuda_type(x), x.size(0), x.size(1), out.q.data_ptr<int8_t>(),
                        out.scale.data_ptr<float>(), current_cuda_stream());
  } else {
    cuda::quantize_tensor(x.data_ptr(), cuda_type(x), x.numel(), out.scale.data_ptr<float>(),
                          out.q.data_ptr<int8_t>(), current_cuda_stream());
  }
}

}  // namespace octet
