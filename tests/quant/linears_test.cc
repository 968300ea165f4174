// Each quantized precision against plain float arithmetic on the widened codes.
#include "quant/linears/linears.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "models/run/activation.h"
#include "tests/quant/tolerance.h"

namespace octet {
namespace {

struct Codes : WeightSource {
  std::map<std::string, Weight> weights;
  bool has(const std::string& name) const override { return weights.contains(name); }
  Weight get(const std::string& name) override { return weights.at(name); }
};

Site site() {
  return {0, "fused", {{"a", 21, 37, true}, {"b", 12, 37, false}}, ""};
}

std::shared_ptr<Codes> source(bool dynamic, bool is_static) {
  auto made = std::make_shared<Codes>();
  at::manual_seed(3);
  for (const Matrix& matrix : site().matrices) {
    Weight weight;
    weight.q = at::randint(-128, 128, {matrix.n, matrix.k}, at::kChar);
    weight.scale = at::rand({matrix.n, 1}) * 0.01 + 0.001;
    weight.input = dynamic ? Format::kInt8Token : is_static ? Format::kInt8Tensor : Format::kFloat;
    if (is_static) weight.input_scale = at::full({1}, 0.02F);
    made->weights[matrix.name + ".weight"] = weight;
  }
  made->weights["a.bias"].dense = at::rand({21});
  return made;
}

// Widened weight and bias of the whole site.
std::pair<at::Tensor, at::Tensor> widened(const QuantizedSite& codes) {
  return {codes.q.to(at::kDouble) * codes.scale.to(at::kDouble), codes.bias.to(at::kDouble)};
}

TEST(QuantizedLinears, IntegerDotProductsEqualTheirFloatMeaning) {
  for (const bool dynamic : {true, false}) {
    const LinearContext context;
    const QuantizedSite codes = load_quantized_site(site(), *source(dynamic, !dynamic), context);
    W8A8Linear linear(codes, context);
    ASSERT_EQ(linear.wants(), dynamic ? Format::kInt8Token : Format::kInt8Tensor);
    for (const int64_t rows : {0, 1, 2, 17, 40}) {
      const at::Tensor x = at::randn({rows, 37});
      const Activation input = to_format(x, linear.wants(), linear.input_scale(), false);
      const auto [weight, bias] = widened(codes);
      const at::Tensor scale =
          dynamic ? input.scale.to(at::kDouble).unsqueeze(1) : input.scale.to(at::kDouble);
      const at::Tensor expected = at::linear(input.q.to(at::kDouble) * scale, weight, bias);
      EXPECT_TRUE(at::allclose(linear.forward(input).to(at::kDouble), expected, 1e-5, 1e-5))
          << rows;
    }
    EXPECT_EQ(context.counters->int8_gemms, 5);
    EXPECT_EQ(context.counters->dequantized_tiles, 0);
  }
}

TEST(QuantizedLinears, WeightOnlyEqualsDequantizedWeights) {
  const LinearContext context;
  const QuantizedSite codes = load_quantized_site(site(), *source(false, false), context);
  WeightOnlyLinear linear(codes, context);
  for (const int64_t rows : {1, 2, 16, 17, 40}) {
    const at::Tensor x = at::randn({2, rows, 37});
    const auto [weight, bias] = widened(codes);
    const at::Tensor y = linear.forward(to_format(x, Format::kFloat, {}, true));
    EXPECT_EQ(y.sizes(), at::IntArrayRef({2, rows, weight.size(0)}));
    EXPECT_TRUE(test::equals_weight_only(y, x.to(at::kDouble), weight, bias)) << rows;
  }
  EXPECT_EQ(context.counters->dequantized_tiles, 0);
}

TEST(QuantizedLinears, GroupedEqualsDequantizedWeights) {
  const LinearContext context;
  for (const auto& [element, group] :
       {std::pair<Dtype, int64_t>{Dtype::kI4, 16}, {Dtype::kI4, 12}, {Dtype::kI8, 16}}) {
    const int64_t k = 48;
    QuantizedSite codes;
    codes.element = element, codes.group = group;
    codes.q = element == Dtype::kI4 ? at::randint(-8, 8, {21, k}, at::kChar)
                                    : at::randint(-128, 128, {21, k}, at::kChar);
    codes.scale = at::rand({21, k / group}) * 0.01 + 0.001;
    codes.bias = at::rand({21});
    const auto linear = make_quantized_linear(codes, context);
    const at::Tensor weight = codes.q.to(at::kDouble) * codes.scale.repeat_interleave(group, 1);
    for (const int64_t rows : {1, 16, 17, 40}) {
      const at::Tensor x = at::randn({rows, k});
      const at::Tensor y = linear->forward(to_format(x, Format::kFloat, {}, true));
      EXPECT_TRUE(test::equals_weight_only(y, x.to(at::kDouble), weight.to(at::kDouble),
                                           codes.bias.to(at::kDouble)))
          << name(element) << " " << group;
    }
    const int64_t panel_rows = 32;
    EXPECT_LT(linear->bytes(), static_cast<uint64_t>(panel_rows * k * bits(element) / 8 +
                                                     panel_rows * (k / group) * 4 + 200));
  }
}

TEST(QuantizedLinears, KeptHalfWeightsAreNotWidenedWhole) {
  Codes kept;
  const Site head{kOutside, "head", {{"head", 1300, 37, false}}, ""};
  kept.weights["head.weight"].dense = at::randn({1300, 37}).to(at::kHalf);
  const LinearContext context;
  KeptLinear linear(head, kept, context);
  EXPECT_EQ(linear.bytes(), 1300U * 37 * 2);
  for (const int64_t rows : {1, 16, 17, 64}) {
    const at::Tensor x = at::randn({rows, 37});
    const at::Tensor expected = at::linear(x, kept.weights["head.weight"].dense.to(at::kFloat));
    EXPECT_TRUE(
        at::allclose(linear.forward(to_format(x, Format::kFloat, {}, true)), expected, 1e-4, 1e-4))
        << rows;
  }
  EXPECT_LE(context.counters->largest_tile_rows, 512);
  EXPECT_GT(context.counters->dequantized_tiles, 0);
}

TEST(QuantizedLinears, NeighboursMustAgree) {
  auto mixed = source(false, true);
  mixed->weights["b.weight"].input_scale = at::full({1}, 0.03F);
  EXPECT_THROW(load_quantized_site(site(), *mixed, {}), Error);
  mixed = source(true, false);
  mixed->weights["b.weight"].input = Format::kFloat;
  EXPECT_THROW(load_quantized_site(site(), *mixed, {}), Error);
}

}  // namespace
}  // namespace octet
