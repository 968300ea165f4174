// A site in training: the deployed linear's codes and outputs, and the gradients of ATen's own
// fake-quantization.
#include "quant/linears/fake_quant.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "kernels/cpu/gemm/packed_weights.h"
#include "models/run/activation.h"
#include "models/weights/weight_sources.h"
#include "quant/linears/linears.h"

namespace octet {
namespace {

constexpr int64_t kRows = 33, kColumns = 64, kTokens = 40;

Site site() {
  return {0, "fused", {{"a", 21, kColumns, true}, {"b", 12, kColumns, false}}, ""};
}

struct Case {
  Case(const std::string& scheme, bool learn_scales, uint64_t seed = 5) {
    at::manual_seed(seed);
    source = memory_weights({{"a.weight", (at::randn({21, kColumns}) * 0.05).to(at::kHalf)},
                             {"b.weight", (at::randn({12, kColumns}) * 0.1).to(at::kHalf)},
                             {"a.bias", at::randn({21}).to(at::kHalf)}});
    for (const Matrix& matrix : site().matrices) {
      ModulePlan module;
      module.module = matrix.name;
      module.scheme = parse_scheme(scheme);
      module.n = matrix.n, module.k = matrix.k;
      module.input_range = 2.5;
      module.clip_search = module.scheme.weight.element == Dtype::kI4;
      plan.push_back(module);
    }
    FakeQuantOptions options;
    options.learn_scales = learn_scales;
    linear = std::make_unique<FakeQuantLinear>(site(), *source, plan, options);
    linear->parameters(parameters);
    x = at::randn({2, kTokens / 2, kColumns});
  }
  // Moves all leaves as training would, some weights out of their range.
  void move() {
    const at::NoGradGuard no_gradients;
    for (Parameter& p : parameters) {
      if (p.kind == Parameter::Kind::kScale) {
        p.leaf.add_(at::randn_like(p.leaf), 0.05);
      } else {
        p.leaf.add_(at::randn_like(p.leaf), 0.02);
      }
    }
  }
  Activation input() const { return to_format(x, linear->wants(), linear->input_scale(), true); }
  std::unique_ptr<Linear> deployed() const {
    const QuantizedWeight weight = linear->deployed();
    QuantizedSite codes;
    codes.q = weight.q;
    codes.scale = weight.scale.to(at::kFloat);
    codes.bias = parameters[1].leaf.detach();
    codes.element = plan[0].scheme.weight.element;
    codes.group = plan[0].scheme.weight.group;
    codes.input = plan[0].scheme.input;
    if (plan[0].scheme.input.per_tensor()) {
      codes.input_scale = linear->deployed_input_scale().to(at::kFloat);
    }
    return make_quantized_linear(codes, {});
  }

  std::shared_ptr<WeightSource> source;
  std::vector<ModulePlan> plan;
  std::unique_ptr<FakeQuantLinear> linear;
  std::vector<Parameter> parameters;
  at::Tensor x;
};

class FakeQuant : public testing::TestWithParam<const char*> {};

TEST_P(FakeQuant, StartsWithTheCodesThatQuantizeWrites) {
  const Case c(GetParam(), false);
  const QuantizedWeight ours = c.linear->deployed();
  std::vector<at::Tensor> q, scale;
  for (const ModulePlan& module : c.plan) {
    const auto made = quantize_weight(c.source->get(module.module + ".weight").dense,
                                      {module.scheme.weight.element, module.scheme.weight.group,
                                       module.clip_search, Dtype::kF16});
    q.push_back(made.q), scale.push_back(made.scale);
  }
  EXPECT_TRUE(at::equal(ours.q, at::cat(q)));
  EXPECT_TRUE(at::equal(ours.scale, at::cat(scale)));
}

TEST_P(FakeQuant, TrainingSeesWhatIsDeployed) {
  for (const bool learned : {false, true}) {
    Case c(GetParam(), learned);
    for (int step = 0; step < 3; ++step, c.move()) {
      const auto deployed = c.deployed();
      const Activation input = c.input(),
                       there = to_format(c.x, deployed->wants(), deployed->input_scale(), true);
      ASSERT_EQ(c.linear->wants(), deployed->wants());
      EXPECT_TRUE(!input.q.defined() || at::equal(input.q, there.q));
      const at::Tensor expected = deployed->forward(there);
      for (const bool gradients : {false, true}) {
        const at::AutoGradMode mode(gradients);
        const at::Tensor y = c.linear->forward(input);
        ASSERT_EQ(y.sizes(), expected.sizes());
        const double worst = (y - expected).abs().max().item<double>();
        // Weight-only linears of many rows round both operands to bfloat16 where the CPU has it.
        const bool rounds =
            !input.q.defined() && cpu::best_packed_route() != cpu::PackedRoute::kFloat;
        const double unit = rounds ? 0x1p-8 : 1e-5;
        EXPECT_LT(worst, unit * expected.abs().max().item<double>()) << learned << step;
      }
      // Rows of the unit matrix read the weight itself.
      if (input.q.defined()) continue;
      const at::Tensor weight =
          c.linear->forward(to_format(at::eye(kColumns), Format::kFloat, {}, true)) -
          c.parameters[1].leaf;
      const QuantizedWeight codes = c.linear->deployed();
      const at::Tensor scale =
          codes.scale.to(at::kFloat).repeat_interleave(kColumns / codes.scale.size(1), 1);
      const at::Tensor seen = at::round(weight.t() / scale).to(at::kChar);
      EXPECT_TRUE(at::equal(seen, codes.q));
    }
  }
}

// y and gradients of the same site put together from ATen's fake-quantization.
struct Reference {
  Reference(const Case& c, bool learned) {
    const Scheme& scheme = c.plan[0].scheme;
    const bool eight = scheme.weight.element == Dtype::kI8;
    const int64_t low = eight ? -127 : -8, high = eight ? 127 : 7;
    const int64_t group = scheme.weight.group > 0 ? scheme.weight.group : kColumns;
    const at::Tensor zero = at::zeros({kRows * kColumns / group});
    weight = c.parameters[0].leaf.detach().clone().requires_grad_(true);
    bias = c.parameters[1].leaf.detach().clone().requires_grad_(true);
    x = c.x.detach().clone().requires_grad_(true);
    scale = c.linear->deployed().scale.to(at::kFloat).flatten().requires_grad_(learned);
    factor = 1 / std::sqrt(static_cast<double>(group * high));
    const at::Tensor coded = at::_fake_quantize_learnable_per_channel_affine(
                                 weight.view({-1, group}), scale, zero, 0, low, high, factor)
                                 .view({kRows, kColumns});
    at::Tensor input = x.view({-1, kColumns});
    if (scheme.input.per_token()) {
      const at::Tensor tokens = c.input().scale;
      input = at::fake_quantize_per_channel_affine(
          input, tokens, at::zeros({tokens.size(0)}, at::kInt), 0, -127, 127);
    } else if (scheme.input.per_tensor()) {
      input_scale = c.linear->deployed_input_scale().to(at::kFloat).requires_grad_(learned);
      input = at::_fake_quantize_learnable_per_tensor_affine(
          input, input_scale, at::zeros({1}), -127, 127,
          1 / std::sqrt(static_cast<double>(kColumns * 127)));
    }
    y = at::linear(input, coded, bias).view({2, kTokens / 2, kRows});
  }
  at::Tensor weight, bias, x, scale, input_scale, y;
  double factor;
};

void expect_close(const at::Tensor& got, const at::Tensor& expected, const std::string& what) {
  ASSERT_TRUE(got.defined()) << what;
  const double size = expected.abs().max().item<double>();
  EXPECT_GT(size, 0) << what;
  EXPECT_LT((got - expected).abs().max().item<double>(), 2e-5 * size) << what;
}

TEST_P(FakeQuant, GradientsEqualATens) {
  for (const bool learned : {false, true}) {
    Case c(GetParam(), learned);
    c.move();
    Reference expected(c, learned);
    const at::Tensor direction = at::randn(expected.y.sizes());
    (expected.y * direction).sum().backward();
    for (Parameter& p : c.parameters) p.leaf.requires_grad_(true);
    c.x.requires_grad_(true);
    (c.linear->forward(c.input()) * direction).sum().backward();
    expect_close(c.x.grad(), expected.x.grad(), "input");
    expect_close(c.parameters[0].leaf.grad(), expected.weight.grad(), "weight");
    expect_close(c.parameters[1].leaf.grad(), expected.bias.grad(), "bias");
    EXPECT_GT(c.parameters[0].leaf.grad().eq(0).sum().item<int64_t>(), 0) << "some are clamped";
    if (c.plan[0].scheme.input.per_tensor()) {
      EXPECT_GT(c.x.grad().eq(0).sum().item<int64_t>(), 0) << "some are clamped";
    }
    if (!learned) continue;
    // d/d log(s) = s * d/ds
    expect_close(c.parameters[2].leaf.grad().flatten(), expected.scale.grad() * expected.scale,
                 "scale");
    if (!expected.input_scale.defined()) continue;
    expect_close(c.parameters[3].leaf.grad(), expected.input_scale.grad() * expected.input_scale,
                 "input scale");
  }
}

TEST_P(FakeQuant, FrozenScalesStayAndLearnedOnesAreLeaves) {
  Case frozen(GetParam(), false), learned(GetParam(), true);
  const bool is_static = frozen.plan[0].scheme.input.per_tensor();
  EXPECT_EQ(frozen.parameters.size(), 2U);
  EXPECT_EQ(learned.parameters.size(), is_static ? 4U : 3U);
  EXPECT_TRUE(at::equal(frozen.linear->deployed().scale, learned.linear->deployed().scale));
  const at::Tensor before = frozen.linear->deployed().scale;
  frozen.move(), learned.move();
  EXPECT_TRUE(at::equal(frozen.linear->deployed().scale, before));
  EXPECT_FALSE(at::equal(learned.linear->deployed().scale, before));
}

INSTANTIATE_TEST_SUITE_P(Schemes, FakeQuant,
                         testing::Values("w8a8-dynamic", "w8a8-static", "w8a16", "w4a16-g16"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(FakeQuantFactory, KeptSitesStayFloat) {
  const Case c("w8a16", false);
  std::vector<ModulePlan> plan = c.plan;
  plan[0].scheme = plan[1].scheme = Scheme();
  const auto kept = fake_quant_factory(plan, {})(site(), *c.source);
  EXPECT_NE(dynamic_cast<FloatLinear*>(kept.get()), nullptr);
  const auto made = fake_quant_factory(c.plan, {})(site(), *c.source);
  EXPECT_NE(dynamic_cast<FakeQuantLinear*>(made.get()), nullptr);
}

}  // namespace
}  // namespace octet
