#include <ATen/ATen.h>

#include "kernels/cuda/gemm/autotuner.h"
#include "models/run/cuda.h"
#include "quant/linears/linear_shapes.h"
#include "quant/linears/linears.h"

namespace octet {
namespace {

at::Tensor pad_to_16(const at::Tensor& q) {
  const int64_t n = (q.size(0) + 15) / 16 * 16, k = (q.size(1) + 15) / 16 * 16;
  return at::constant_pad_nd(q, {0, k - q.size(1), 0, n - q.size(0)}).contiguous();
}

}  // namespace

W8A8Linear::W8A8Linear(const QuantizedSite& codes, LinearContext context)
    : format_(codes.input),
      context_(std::move(context)),
      n_(codes.q.size(0)),
      k_(codes.q.size(1)),
      scale_(codes.scale.reshape({-1}).to(context_.device)),
      bias_(codes.bias) {
  if (codes.input_scale.defined()) {
    input_scale_ =
        codes.input_scale.to(at::TensorOptions(at::kFloat).device(context_.device)).reshape({1});
  }
  if (context_.device.is_cpu()) {
    packed_.emplace(codes.q.data_ptr<int8_t>(), n_, k_);
  } else {
    if (!context_.gemm) context_.gemm = std::make_shared<cuda::GemmAutotuner>();
    q_ = pad_to_16(codes.q).to(context_.device);
    padded_scale_ = at::constant_pad_nd(scale_, {0, q_.size(0) - n_});
    if (bias_.defined()) {
      typed_bias_ = at::constant_pad_nd(bias_, {0, q_.size(0) - n_});
      padded_bias_ = typed_bias_.to(at::kFloat);
    }
  }
}

at::Tensor W8A8Linear::forward(const Activation& input) {
  context_.counters->int8_gemms++;
  const int64_t rows = input.q.size(0);
  if (!packed_) return unflatten(forward_cuda(input, rows), input.leading);
  at::Tensor y = at::empty({rows, n_}, at::kFloat);
  cpu::int8_gemm(*packed_, input.q.data_ptr<int8_t>(), rows, input.scale.data_ptr<float>(),
                 format_.per_token(), scale_.data_ptr<float>(), data_or_null(bias_),
                 y.data_ptr<float>());
  return unflatten(y.to(context_.compute), input.leading);
}

at::Tensor W8A8Linear::forward_cuda(const Activation& input, int64_t rows) {
  const int64_t missing = q_.size(1) - k_;
  const at::Tensor x = missing > 0 ? at::constant_pad_nd(input.q, {0, missing}) : input.q;
  at::Tensor y = at::empty({rows, q_.size(0)}, x.options().dtype(context_.compute));
  cuda::Int8Gemm gemm;
  gemm.x = x.const_data_ptr<int8_t>(), gemm.w = q_.const_data_ptr<int8_t>();
  gemm.row_scale = input.scale.const_data_ptr<float>();
  gemm.per_row = format_.per_token();
  gemm.col_scale = padded_scale_.const_data_ptr<float>();
  gemm.bias = padded_bias_.defined() ? padded_bias_.const_data_ptr<float>() : nullptr;
  gemm.typed_bias = typed_bias_.defined() ? typed_bias_.data_ptr() : nullptr;
  gemm.type = cuda_type(y), gemm.y = y.data_ptr();
  gemm.m = rows, gemm.n = q_.size(0), gemm.k = q_.size(1);
  if (!context_.gemm->run(gemm, true, current_cuda_stream())) return forward_cublas(x, input);
  return q_.size(0) == n_ ? y : y.narrow(1, 0, n_).contiguous();
}

at::Tensor W8A8Linear::forward_cublas(const at::Tensor& q, const Activation& input) {
  // cuBLASLt's INT8 GEMM behind at::_int_mm wants more than 16 rows and multiples of 8 columns.
  const int64_t rows = q.size(0), padded = std::max<int64_t>(32, (rows + 7) / 8 * 8);
  const at::Tensor sums = at::_int_mm(at::constant_pad_nd(q, {0, 0, 0, padded - rows}), q_.t());
  at::Tensor y = at::empty({rows, n_}, sums.options().dtype(context_.compute));
  cuda::dequantize(sums.data_ptr<int32_t>(), sums.size(1), rows, n_, input.scale.data_ptr<float>(),
                   format_.per_token(), scale_.data_ptr<float>(),
                   bias_.defined() ? bias_.data_ptr() : nullptr, cuda_type(y), y.data_ptr(),
                   current_cuda_stream());
  return y;
}

void W8A8Linear::warm_up(int64_t rows) {
  if (packed_ || rows == 0) return;
  Activation input;
  input.q = at::zeros({rows, k_}, q_.options());
  input.scale = at::ones({rows}, scale_.options());
  input.leading = {rows};
  forward(input);
}

uint64_t W8A8Linear::bytes() const {
  return (packed_ ? packed_->bytes() : q_.nbytes()) + scale_.nbytes() +
         (bias_.defined() ? bias_.nbytes() : 0);
}

}  // namespace octet
