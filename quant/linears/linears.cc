#include "quant/linears/linears.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <functional>

#include "core/error.h"
#include "kernels/cpu/gemm/f16_gemm.h"
#include "kernels/cuda/gemm/small_m.h"
#include "models/run/cuda.h"
#include "quant/linears/linear_shapes.h"

namespace octet {
namespace {

// Rows of weight dequantized at a time: enough to feed a GEMM, small beside any weight; on a GPU,
// whose GEMMs want wide tiles, what takes this many bytes.
constexpr int64_t kTileRows = 512, kGpuTileBytes = int64_t{64} << 20;

at::Tensor token_rows(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)}).contiguous();
}

void note_tile(RunCounters& counters, int64_t rows) {
  counters.dequantized_tiles++;
  if (rows > counters.largest_tile_rows) counters.largest_tile_rows = rows;
}

// y = x w^T + bias, with w dequantized by `dequantize(first_row, rows, out)` one tile at a time.
at::Tensor tiled_linear(const at::Tensor& x, int64_t n, const at::Tensor& bias,
                        RunCounters& counters,
                        const std::function<void(int64_t, int64_t, at::Tensor&)>& dequantize) {
  at::Tensor y = at::empty({x.size(0), n}, x.options());
  const int64_t row_bytes = x.size(1) * x.element_size();
  const int64_t most = x.is_cpu() ? kTileRows : std::max(kTileRows, kGpuTileBytes / row_bytes);
  at::Tensor tile = at::empty({std::min(most, n), x.size(1)}, x.options());
  for (int64_t row = 0; row < n; row += most) {
    const int64_t rows = std::min(most, n - row);
    at::Tensor part = tile.narrow(0, 0, rows), out = y.narrow(1, row, rows);
    dequantize(row, rows, part);
    note_tile(counters, rows);
    at::mm_out(out, x, part.t());
  }
  if (bias.defined()) y.add_(bias);
  return y;
}

bool same_input(const Weight& weight, const QuantizedSite& codes) {
  if (weight.input != codes.input) return false;
  if (weight.input_scale.defined() != codes.input_scale.defined()) return false;
  return !weight.input_scale.defined() || at::equal(weight.input_scale, codes.input_scale);
}

at::Tensor run_packed(const cpu::PackedWeights& weights, const at::Tensor& x,
                      const at::Tensor& bias) {
  at::Tensor y = at::empty({x.size(0), weights.n()}, at::kFloat);
  weights.gemm(x.data_ptr<float>(), x.size(0), data_or_null(bias), y.data_ptr<float>());
  return y;
}

}  // namespace

QuantizedSite load_quantized_site(const Site& site, WeightSource& source,
                                  const LinearContext& context) {
  QuantizedSite codes;
  std::vector<at::Tensor> q, scale;
  for (size_t i = 0; i < site.matrices.size(); ++i) {
    const Matrix& matrix = site.matrices[i];
    const Weight weight = source.get(site.weight_name(i));
    if (!weight.quantized() || weight.q.sizes() != at::IntArrayRef({matrix.n, matrix.k}) ||
        (i > 0 && (weight.element != codes.element || weight.group != codes.group))) {
      throw Error(fmt::format("{} is not quantized like the rest of {}", matrix.name, site.name),
                  "one scheme for all matrices that read the same input",
                  "quantize the model again");
    }
    if (i > 0 && !same_input(weight, codes)) {
      throw Error(fmt::format("{} has another input scale than its neighbours in {}", matrix.name,
                              site.name),
                  "one input scale for all matrices that read the same input",
                  "quantize the model again");
    }
    codes.element = weight.element, codes.group = weight.group;
    codes.input = weight.input;
    codes.input_scale = weight.input_scale;
    q.push_back(weight.q);
    scale.push_back(weight.scale);
  }
  codes.q = at::cat(q);
  codes.scale = at::cat(scale);
  codes.bias = load_bias(site, source, context.compute, context.device);
  return codes;
}

std::unique_ptr<Linear> make_quantized_linear(const QuantizedSite& codes,
                                              const LinearContext& context) {
  if (codes.input.quantized()) return std::make_unique<W8A8Linear>(codes, context);
  if (codes.element == Dtype::kI8 && codes.group == 0)
    return std::make_unique<WeightOnlyLinear>(codes, context);
  return std::make_unique<GroupedWeightOnlyLinear>(codes, context);
}

WeightOnlyLinear::WeightOnlyLinear(const QuantizedSite& codes, LinearContext context)
    : context_(std::move(context)), n_(codes.q.size(0)), k_(codes.q.size(1)), bias_(codes.bias) {
  if (context_.device.is_cpu()) {
    packed_.emplace(codes.q.data_ptr<int8_t>(), codes.scale.data_ptr<float>(), n_, k_, k_,
                    Dtype::kI8);
    return;
  }
  q_ = codes.q.to(context_.device);
  scale_ = codes.scale.reshape({-1}).to(context_.device);
}

at::Tensor WeightOnlyLinear::forward(const Activation& input) {
  context_.counters->packed_gemms++;
  const at::Tensor x = token_rows(input.value);
  if (packed_) return unflatten(run_packed(*packed_, x, bias_), input.leading);
  at::Tensor y;
  if (x.size(0) <= cuda::kSmallMMost) {
    y = at::empty({x.size(0), n_}, x.options());
    cuda::w8a16_small_m(x.data_ptr(), q_.data_ptr<int8_t>(), scale_.data_ptr<float>(),
                        bias_.defined() ? bias_.data_ptr() : nullptr, cuda_type(x), x.size(0), n_,
                        k_, y.data_ptr(), current_cuda_stream(), true);
  } else {
    const auto tile = [this](int64_t row, int64_t rows, at::Tensor& out) {
      cuda::widen_int8_rows(q_.data_ptr<int8_t>() + row * k_, scale_.data_ptr<float>() + row, rows,
                            k_, cuda_type(out), out.data_ptr(), current_cuda_stream());
    };
    y = tiled_linear(x, n_, bias_, *context_.counters, tile);
  }
  return unflatten(y, input.leading);
}

uint64_t WeightOnlyLinear::bytes() const {
  const uint64_t codes = packed_ ? packed_->bytes() : q_.nbytes() + scale_.nbytes();
  return codes + (bias_.defined() ? bias_.nbytes() : 0);
}

GroupedWeightOnlyLinear::GroupedWeightOnlyLinear(const QuantizedSite& codes, LinearContext context)
    : context_(std::move(context)),
      n_(codes.q.size(0)),
      k_(codes.q.size(1)),
      group_(k_ / codes.scale.size(1)),
      element_(codes.element),
      bias_(codes.bias) {
  if (group_ % 2 == 0 && context_.device.is_cpu()) {
    packed_.emplace(codes.q.data_ptr<int8_t>(), codes.scale.data_ptr<float>(), n_, k_, group_,
                    element_);
    return;
  }
  if (element_ == Dtype::kI4 && !context_.device.is_cpu()) {
    pack_for_gpu(codes);
    return;
  }
  at::Tensor q = codes.q;
  if (element_ == Dtype::kI4) {
    const at::Tensor offset = at::constant_pad_nd((q + 8).to(at::kByte), {0, k_ % 2});
    const at::Tensor pairs = offset.view({n_, -1, 2});
    q = pairs.select(2, 0) + pairs.select(2, 1) * 16;
  }
  q_ = q.to(context_.device);
  scale_ = codes.scale.to(context_.device);
}

void GroupedWeightOnlyLinear::pack_for_gpu(const QuantizedSite& codes) {
  const at::Tensor scale = codes.scale.to(context_.device), q = codes.q.to(context_.device);
  const bool exact = at::equal(scale.to(context_.compute).to(at::kFloat), scale);
  const auto options = scale.options();
  q_ = at::empty({cuda::packed_w4_bytes(n_, k_)}, options.dtype(at::kByte));
  scale_ = at::empty({cuda::packed_w4_scales(n_, k_, group_)},
                     options.dtype(exact ? context_.compute : at::kFloat));
  cuda::pack_w4(q.data_ptr<int8_t>(), scale.data_ptr<float>(), n_, k_, group_, cuda_type(scale_),
                q_.data_ptr<uint8_t>(), scale_.data_ptr(), current_cuda_stream());
}

at::Tensor GroupedWeightOnlyLinear::small_m(const at::Tensor& x) const {
  at::Tensor y = at::empty({x.size(0), n_}, x.options());
  cuda::w4a16_small_m(x.data_ptr(), q_.data_ptr<uint8_t>(), scale_.data_ptr(), cuda_type(scale_),
                      group_, bias_.defined() ? bias_.data_ptr() : nullptr, cuda_type(x), x.size(0),
                      n_, k_, y.data_ptr(), current_cuda_stream(), true);
  return y;
}

void GroupedWeightOnlyLinear::dequantize(int64_t row, int64_t rows, at::Tensor& out) const {
  if (element_ == Dtype::kI4 && !context_.device.is_cpu()) {
    return cuda::unpack_w4(q_.data_ptr<uint8_t>(), scale_.data_ptr(), cuda_type(scale_), group_,
                           row, rows, k_, cuda_type(out), out.data_ptr(), current_cuda_stream());
  }
  at::Tensor codes = q_.narrow(0, row, rows);
  if (element_ == Dtype::kI4) {
    codes = at::stack({codes.bitwise_and(15), codes.bitwise_right_shift(4)}, 2).flatten(1);
    codes = codes.narrow(1, 0, k_).to(at::kFloat) - 8;
  }
  const at::Tensor scale = scale_.narrow(0, row, rows);
  const at::Tensor groups = codes.to(at::kFloat).reshape({rows, scale.size(1), -1});
  out.copy_((groups * scale.unsqueeze(2)).view({rows, k_}));
}

at::Tensor GroupedWeightOnlyLinear::forward(const Activation& input) {
  context_.counters->packed_gemms++;
  const at::Tensor x = token_rows(input.value);
  if (packed_) return unflatten(run_packed(*packed_, x, bias_), input.leading);
  if (element_ == Dtype::kI4 && !x.is_cpu() && x.size(0) <= cuda::kSmallMMost) {
    return unflatten(small_m(x), input.leading);
  }
  const auto tile = [this](int64_t row, int64_t rows, at::Tensor& out) {
    dequantize(row, rows, out);
  };
  return unflatten(tiled_linear(x, n_, bias_, *context_.counters, tile), input.leading);
}

uint64_t GroupedWeightOnlyLinear::bytes() const {
  const uint64_t codes = packed_ ? packed_->bytes() : q_.nbytes() + scale_.nbytes();
  return codes + (bias_.defined() ? bias_.nbytes() : 0);
}

KeptLinear::KeptLinear(const Site& site, WeightSource& source, LinearContext context)
    : context_(std::move(context)) {
  const at::ScalarType stored = source.get(site.weight_name(0)).dense.scalar_type();
  // On the GPU the compute dtype is a 16-bit one and the GEMM reads it directly.
  auto loaded = load_dense(site, source, context_.device.is_cpu() ? stored : context_.compute,
                           context_.device);
  weight_ = std::move(loaded.weight);
  bias_ = load_bias(site, source, context_.compute, context_.device);
}

at::Tensor KeptLinear::forward(const Activation& input) {
  if (weight_.scalar_type() == context_.compute) return at::linear(input.value, weight_, bias_);
  const at::Tensor x = token_rows(input.value);
  const int64_t m = x.size(0), n = weight_.size(0), k = weight_.size(1);
  const bool half = weight_.scalar_type() == at::kHalf && x.scalar_type() == at::kFloat;
  if (half && m <= cpu::kSmallM) {
    at::Tensor y = at::empty({m, n}, at::kFloat);
    cpu::f16_gemm(reinterpret_cast<const uint16_t*>(weight_.data_ptr<at::Half>()),
                  data_or_null(bias_), x.data_ptr<float>(), m, n, k, y.data_ptr<float>());
    return unflatten(y, input.leading);
  }
  const auto dequantize = [&](int64_t row, int64_t rows, at::Tensor& out) {
    out.copy_(weight_.narrow(0, row, rows));
  };
  return unflatten(tiled_linear(x, n, bias_, *context_.counters, dequantize), input.leading);
}

uint64_t KeptLinear::bytes() const {
  return weight_.nbytes() + (bias_.defined() ? bias_.nbytes() : 0);
}

}  // namespace octet
