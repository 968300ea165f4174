#include "models/run/linear.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace octet {
namespace {

void check_shape(const std::string& name, const at::Tensor& tensor, at::IntArrayRef expected) {
  if (tensor.sizes() == expected) return;
  throw Error(fmt::format("tensor {} of shape [{}]", name, fmt::join(tensor.sizes(), ", ")),
              fmt::format("[{}], as config.json says", fmt::join(expected, ", ")),
              "use the config.json that belongs to these weights");
}

at::Tensor dense(WeightSource& source, const std::string& name, at::IntArrayRef shape) {
  const Weight weight = source.get(name);
  if (!weight.dense.defined()) {
    throw Error(fmt::format("quantized tensor {}", name), "a float tensor here",
                "open quantized directories through load_model");
  }
  check_shape(name, weight.dense, shape);
  return weight.dense;
}

}  // namespace

at::Tensor load_bias(const Site& site, WeightSource& source, at::ScalarType dtype,
                     at::Device device) {
  bool any = false;
  for (const Matrix& matrix : site.matrices) any = any || matrix.bias;
  if (!any) return {};
  at::Tensor bias = at::zeros({site.n()}, at::TensorOptions(dtype).device(device));
  int64_t row = 0;
  for (const Matrix& matrix : site.matrices) {
    if (matrix.bias) {
      bias.narrow(0, row, matrix.n).copy_(dense(source, matrix.name + ".bias", {matrix.n}));
    }
    row += matrix.n;
  }
  return bias;
}

SiteWeights load_dense(const Site& site, WeightSource& source, at::ScalarType dtype,
                       at::Device device) {
  const auto options = at::TensorOptions(dtype).device(device);
  SiteWeights loaded{{}, load_bias(site, source, dtype, device)};
  if (site.matrices.size() == 1) {
    loaded.weight =
        dense(source, site.weight_name(0), {site.n(), site.k()}).to(options).contiguous();
    return loaded;
  }
  loaded.weight = at::empty({site.n(), site.k()}, options);
  int64_t row = 0;
  for (size_t i = 0; i < site.matrices.size(); ++i) {
    const Matrix& matrix = site.matrices[i];
    loaded.weight.narrow(0, row, matrix.n)
        .copy_(dense(source, site.weight_name(i), {matrix.n, matrix.k}));
    row += matrix.n;
  }
  return loaded;
}

FloatLinear::FloatLinear(const Site& site, WeightSource& source, at::ScalarType compute,
                         at::Device device)
    : name_(site.name) {
  auto loaded = load_dense(site, source, compute, device);
  weight_ = std::move(loaded.weight);
  bias_ = std::move(loaded.bias);
}

at::Tensor FloatLinear::forward(const Activation& input) {
  return at::linear(input.value, weight_, bias_);
}

void FloatLinear::parameters(std::vector<Parameter>& out) {
  out.push_back({Parameter::Kind::kWeight, name_ + ".weight", weight_});
  if (bias_.defined()) out.push_back({Parameter::Kind::kBias, name_ + ".bias", bias_});
}

uint64_t FloatLinear::bytes() const {
  return weight_.nbytes() + (bias_.defined() ? bias_.nbytes() : 0);
}

LinearFactory float_factory(at::ScalarType compute, at::Device device) {
  return [compute, device](const Site& site, WeightSource& source) -> std::unique_ptr<Linear> {
    return std::make_unique<FloatLinear>(site, source, compute, device);
  };
}

}  // namespace octet
