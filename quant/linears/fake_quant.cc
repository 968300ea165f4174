#include "quant/linears/fake_quant.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "core/error.h"
#include "kernels/codebook.h"
#include "models/torch_dtype.h"
#include "quant/linears/fake_quant_ops.h"
#include "quant/linears/linears.h"

namespace octet {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Values = FakeQuantLinear::Values;

at::Tensor rows_of(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

// d loss / d log(scale) [n, groups] where `gradient` is that of scale * code.
at::Tensor scale_gradient(const at::Tensor& gradient, const at::Tensor& master, const Values& v) {
  const int64_t n = gradient.size(0), each = v.group > 0 ? v.group : gradient.size(1);
  const at::Tensor change = gradient * (v.weight - master * v.inside);
  return change.view({n, -1, each}).sum(2) / std::sqrt(static_cast<double>(each) * v.top_code);
}

at::Tensor input_scale_gradient(const at::Tensor& gradient, const at::Tensor& x,
                                const at::Tensor& coded, const Values& v) {
  const at::Tensor inside = x.abs() < v.input_limit;
  const at::Tensor sum = (gradient * (coded - x * inside)).sum(at::kFloat);
  return sum.view({1}) / std::sqrt(static_cast<double>(x.size(1)) * Int8Codes::kHigh);
}

// x is kept, not its codes: its producer holds it anyway. They are made again for the backward.
struct Product : torch::autograd::Function<Product> {
  // Positions of the gradients: those of forward()'s arguments behind the context.
  enum { kX, kWeight, kBias, kLogScale, kLogInputScale, kQ, kScale, kValues, kArguments };

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias,
                            const std::optional<at::Tensor>& log_scale,
                            const std::optional<at::Tensor>& log_input_scale,
                            const std::optional<at::Tensor>& q,
                            const std::optional<at::Tensor>& scale, const Values* values) {
    ctx->save_for_backward({x, weight, q.value_or(at::Tensor()), scale.value_or(at::Tensor()),
                            values->weight, values->inside, values->input_scale});
    ctx->saved_data["group"] = values->group;
    ctx->saved_data["top_code"] = values->top_code;
    ctx->saved_data["input_limit"] = values->input_limit;
    ctx->saved_data["present"] = std::vector<int64_t>{bias.has_value(), log_scale.has_value(),
                                                      log_input_scale.has_value(), q.has_value()};
    const at::Tensor coded = coded_input(x, q.value_or(at::Tensor()), scale.value_or(at::Tensor()),
                                         values->weight.scalar_type());
    return at::linear(coded, values->weight,
                      bias ? bias->to(values->weight.scalar_type()) : at::Tensor());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &master = saved[1], &q = saved[2], &scale = saved[3];
    Values v;
    v.weight = saved[4], v.inside = saved[5], v.input_scale = saved[6];
    v.group = ctx->saved_data["group"].toInt();
    v.top_code = ctx->saved_data["top_code"].toDouble();
    v.input_limit = ctx->saved_data["input_limit"].toDouble();
    const auto present = ctx->saved_data["present"].toIntVector();
    const at::Tensor gy = gradients[0].to(v.weight.scalar_type());
    const at::Tensor coded = coded_input(x, q, scale, gy.scalar_type());

    variable_list out(kArguments);
    // needs_input_grad counts the tensors that were given.
    size_t input = 0;
    const bool wants_x = ctx->needs_input_grad(input++);
    const bool wants_weight = ctx->needs_input_grad(input++);
    const bool wants_bias = present[0] && ctx->needs_input_grad(input++);
    const bool wants_scale = present[1] && ctx->needs_input_grad(input++);
    const bool wants_input_scale = present[2] && ctx->needs_input_grad(input++);
    if (wants_x || wants_input_scale) {
      at::Tensor gx = at::mm(gy, v.weight).to(x.scalar_type());
      if (wants_input_scale) out[kLogInputScale] = input_scale_gradient(gx, x, coded, v);
      if (v.input_limit > 0) gx = mask_inputs(gx, x, v.input_limit);
      out[kX] = gx;
    }
    if (wants_weight || wants_scale) {
      const at::Tensor gw = at::mm(gy.t(), coded);
      if (wants_scale) out[kLogScale] = scale_gradient(gw.to(at::kFloat), master, v);
      out[kWeight] = mask_weights(gw, v.inside);
    }
    if (wants_bias) out[kBias] = gy.sum(0, false, at::kFloat);
    return out;
  }
};

float smallest_normal(Dtype type) {
  return type == Dtype::kF16 ? 0x1p-14F : 0x1p-126F;
}

std::optional<at::Tensor> given(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

// From where on inputs are clamped: half a step beyond the largest code.
double reach(const at::Tensor& input_scale) {
  return (Int8Codes::kHigh + 0.5) * input_scale.item<double>();
}

}  // namespace

FakeQuantLinear::FakeQuantLinear(const Site& site, WeightSource& source,
                                 const std::vector<ModulePlan>& modules,
                                 const FakeQuantOptions& options)
    : name_(site.name), scheme_(modules.front().scheme), options_(options) {
  std::vector<at::Tensor> weights, scales;
  for (size_t i = 0; i < modules.size(); ++i) {
    const ModulePlan& module = modules[i];
    const at::Tensor dense = source.get(site.weight_name(i)).dense;
    if (!dense.defined() || dense.sizes() != at::IntArrayRef({module.n, module.k})) {
      throw Error(fmt::format("weight of {} quantized or of another shape", module.module),
                  fmt::format("float [{}, {}]", module.n, module.k),
                  "fine-tune the float checkpoint that belongs to this config.json");
    }
    const WeightCoding coding{scheme_.weight.element, scheme_.weight.group, module.clip_search,
                              options.scale_type};
    const at::Tensor stored = dense.to(at::kCPU);
    scales.push_back(quantize_weight(stored, coding).scale.to(at::kFloat));
    weights.push_back(stored.to(at::kFloat));
  }
  weight_ = at::cat(weights).to(options.device);
  bias_ = load_bias(site, source, at::kFloat, options.device);
  values_.scale = at::cat(scales).to(options.device);
  values_.group = scheme_.weight.group;
  values_.top_code = codebook(scheme_.weight.element).high;
  if (scheme_.input.per_tensor()) {
    const at::Tensor range = at::full({1}, modules.front().input_range, at::kFloat);
    values_.input_scale = scales_of_ranges(range, *scheme_.input.element, options.scale_type)
                              .to(at::kFloat)
                              .to(options.device);
    values_.input_limit = reach(values_.input_scale);
  }
  if (!options.learn_scales) return;
  log_scale_ = values_.scale.log();
  if (values_.input_scale.defined()) log_input_scale_ = values_.input_scale.log();
}

at::Tensor FakeQuantLinear::stored(const at::Tensor& log_scale) const {
  return log_scale.detach()
      .exp()
      .clamp_min(smallest_normal(options_.scale_type))
      .to(torch_dtype(options_.scale_type))
      .to(at::kFloat);
}

uint64_t FakeQuantLinear::version() const {
  // Versions only grow, and an optimizer moves all leaves at once.
  uint64_t sum = weight_._version();
  if (bias_.defined()) sum += bias_._version();
  if (log_scale_.defined()) sum += log_scale_._version();
  if (log_input_scale_.defined()) sum += log_input_scale_._version();
  return sum;
}

void FakeQuantLinear::refresh_scales() const {
  if (log_scale_.defined()) values_.scale = stored(log_scale_);
  if (log_input_scale_.defined()) {
    values_.input_scale = stored(log_input_scale_);
    values_.input_limit = reach(values_.input_scale);
  }
}

Values& FakeQuantLinear::current() const {
  if (made_of_ == version()) return values_;
  const at::NoGradGuard no_gradients;
  refresh_scales();
  round_trip(weight_.detach(), scheme_, values_.scale, options_.compute, values_.weight,
             values_.inside);
  deployed_.reset();
  made_of_ = version();
  return values_;
}

Linear& FakeQuantLinear::deployed_linear() const {
  if (deployed_) return *deployed_;
  const QuantizedWeight weight = deployed();
  QuantizedSite codes;
  codes.q = weight.q;
  codes.scale = weight.scale.to(at::kFloat);
  codes.bias = bias_.defined() ? bias_.detach() : bias_;
  codes.element = scheme_.weight.element;
  codes.group = scheme_.weight.group;
  codes.input = scheme_.input;
  codes.input_scale = input_scale();
  deployed_ = make_quantized_linear(codes, {});
  return *deployed_;
}

at::Tensor FakeQuantLinear::input_scale() const {
  return scheme_.input.per_tensor() ? current().input_scale : at::Tensor();
}

at::Tensor FakeQuantLinear::forward(const Activation& input) {
  Values& v = current();
  std::vector<int64_t> sizes = input.leading;
  sizes.push_back(weight_.size(0));
  if (!at::GradMode::is_enabled() || !input.value.defined()) {
    if (weight_.is_cpu() && options_.compute == at::kFloat) return deployed_linear().forward(input);
    const at::Tensor x = input.value.defined() ? rows_of(input.value) : at::Tensor();
    const at::Tensor coded = coded_input(x, input.q, input.scale, options_.compute);
    const at::Tensor bias = bias_.defined() ? bias_.to(options_.compute) : bias_;
    return at::linear(coded, v.weight, bias).view(sizes);
  }
  return Product::apply(rows_of(input.value), weight_, given(bias_), given(log_scale_),
                        given(log_input_scale_), given(input.q), given(input.scale),
                        static_cast<const Values*>(&v))
      .view(sizes);
}

void FakeQuantLinear::parameters(std::vector<Parameter>& out) {
  out.push_back({Parameter::Kind::kWeight, name_ + ".weight", weight_});
  if (bias_.defined()) out.push_back({Parameter::Kind::kBias, name_ + ".bias", bias_});
  if (log_scale_.defined()) {
    out.push_back({Parameter::Kind::kScale, name_ + ".weight_log_scale", log_scale_});
  }
  if (log_input_scale_.defined()) {
    out.push_back({Parameter::Kind::kScale, name_ + ".input_log_scale", log_input_scale_});
  }
}

uint64_t FakeQuantLinear::bytes() const {
  const Values& v = current();
  return weight_.nbytes() + v.weight.nbytes() + v.inside.nbytes() + v.scale.nbytes() +
         (bias_.defined() ? bias_.nbytes() : 0);
}

QuantizedWeight FakeQuantLinear::deployed() const {
  const at::NoGradGuard no_gradients;
  const Values& v = current();
  const int64_t n = weight_.size(0), k = weight_.size(1);
  const Codebook book = codebook(scheme_.weight.element);
  const at::Tensor groups = weight_.detach().view({n, v.scale.size(1), -1});
  const at::Tensor codes = groups.div(v.scale.unsqueeze(2)).round_().clamp_(book.low, book.high);
  return {codes.view({n, k}).to(at::kCPU, at::kChar).contiguous(),
          v.scale.to(at::kCPU, torch_dtype(options_.scale_type)).contiguous()};
}

at::Tensor FakeQuantLinear::deployed_input_scale() const {
  const at::Tensor scale = input_scale();
  return scale.defined() ? scale.to(at::kCPU, torch_dtype(options_.scale_type)) : scale;
}

LinearFactory fake_quant_factory(const std::vector<ModulePlan>& plan,
                                 const FakeQuantOptions& options) {
  std::map<std::string, ModulePlan> modules;
  for (const ModulePlan& module : plan) modules[module.module] = module;
  return [modules, options](const Site& site, WeightSource& source) -> std::unique_ptr<Linear> {
    std::vector<ModulePlan> planned;
    for (const Matrix& matrix : site.matrices) planned.push_back(modules.at(matrix.name));
    if (!planned.front().quantized()) {
      return std::make_unique<FloatLinear>(site, source, at::kFloat, options.device);
    }
    return std::make_unique<FakeQuantLinear>(site, source, planned, options);
  };
}

}  // namespace octet
