// Each quantized precision against plain float arithmetic on the dequantized codes.
#include "quant/linears/linears.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "models/run/activation.h"
#include "tests/device.h"
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

// Dequantized weight and bias of the whole site, float64 on the CPU.
std::pair<at::Tensor, at::Tensor> widened(const QuantizedSite& codes) {
  const int64_t group = codes.q.size(1) / codes.scale.size(1);
  return {codes.q.to(at::kDouble) * codes.scale.to(at::kDouble).repeat_interleave(group, 1),
          codes.bias.to(at::kCPU, at::kDouble)};
}

at::Tensor wide(const at::Tensor& x) {
  return x.to(at::kCPU, at::kDouble);
}

class QuantizedLinears : public testing::TestWithParam<test::Place> {
 protected:
  void SetUp() override {
    context_.device = test::device_under_test(GetParam().device);
    context_.compute = GetParam().compute;
  }
  at::Tensor normals(at::IntArrayRef shape) const {
    return at::randn(shape).to(context_.device, context_.compute);
  }
  Activation input_of(Linear& linear, const at::Tensor& x) const {
    return to_format(x, linear.wants(), linear.input_scale(), linear.wants() == Format::kFloat);
  }
  double unit() const { return test::unit_roundoff(context_.compute); }

  // y is exact but for rounding: on the CPU float32's, on a GPU that of the scaled sum and of the
  // sum with the bias in float32, then of the result in the compute type.
  bool equals_integer(const at::Tensor& y, const at::Tensor& exact, const at::Tensor& bias) const {
    if (context_.device.is_cpu()) return at::allclose(wide(y), exact, 1e-5, 1e-5);
    const at::Tensor size = exact.abs() + bias.abs();
    return (wide(y) - exact).abs().le(size * (unit() + 4 * 0x1p-24) + 0x1p-24).all().item<bool>();
  }

  // On a GPU a weight is rounded to the compute type before a product, a split sum's parts once
  // more, the sum and the sum with the bias once each.
  bool equals_float(const at::Tensor& y, const at::Tensor& x, const at::Tensor& weight,
                    const at::Tensor& bias) const {
    if (context_.device.is_cpu()) return test::equals_weight_only(y, wide(x), weight, bias);
    const at::Tensor exact = at::linear(wide(x), weight, bias);
    const at::Tensor size = at::linear(wide(x).abs(), weight.abs(), bias.abs());
    return (wide(y) - exact).abs().le(size * 4 * unit() + 0x1p-24).all().item<bool>();
  }

  LinearContext context_;
};

TEST_P(QuantizedLinears, IntegerDotProductsEqualTheirFloatMeaning) {
  for (const bool dynamic : {true, false}) {
    context_.counters = std::make_shared<RunCounters>();
    const QuantizedSite codes = load_quantized_site(site(), *source(dynamic, !dynamic), context_);
    W8A8Linear linear(codes, context_);
    ASSERT_EQ(linear.wants(), dynamic ? Format::kInt8Token : Format::kInt8Tensor);
    for (const int64_t rows : {0, 1, 2, 17, 40, 100}) {
      const Activation input = input_of(linear, normals({rows, 37}));
      const auto [weight, bias] = widened(codes);
      const at::Tensor scale = dynamic ? wide(input.scale).unsqueeze(1) : wide(input.scale);
      const at::Tensor y = linear.forward(input);
      EXPECT_EQ(y.scalar_type(), context_.compute);
      EXPECT_TRUE(equals_integer(y, at::linear(wide(input.q) * scale, weight, bias), bias)) << rows;
    }
    EXPECT_EQ(context_.counters->int8_gemms, 6);
    EXPECT_EQ(context_.counters->dequantized_tiles, 0);
  }
}

// Many rows run in another kernel than few, and what warms up has measured which.
TEST_P(QuantizedLinears, ARowIsTheSameBitsAmongAnyOthers) {
  const QuantizedSite codes = [this] {
    QuantizedSite made;
    at::manual_seed(5);
    made.q = at::randint(-127, 128, {384, 512}, at::kChar);
    made.scale = at::rand({384, 1}) * 0.001;
    made.bias = normals({384});
    made.input = Format::kInt8Token;
    return made;
  }();
  W8A8Linear linear(codes, context_), cold(codes, context_);
  const at::Tensor x = normals({300, 512});
  for (const int64_t rows : {1, 8, 64, 65, 300}) linear.warm_up(rows);
  const at::Tensor all = linear.forward(input_of(linear, x));
  EXPECT_TRUE(at::equal(cold.forward(input_of(cold, x)), all));
  for (const int64_t rows : {1, 8, 64, 65}) {
    const at::Tensor few = linear.forward(input_of(linear, x.narrow(0, 0, rows)));
    EXPECT_TRUE(at::equal(few, all.narrow(0, 0, rows))) << rows;
  }
}

TEST_P(QuantizedLinears, WeightOnlyEqualsDequantizedWeights) {
  const QuantizedSite codes = load_quantized_site(site(), *source(false, false), context_);
  WeightOnlyLinear linear(codes, context_);
  for (const int64_t rows : {1, 2, 16, 17, 32, 40}) {
    const at::Tensor x = normals({2, rows, 37});
    const auto [weight, bias] = widened(codes);
    const at::Tensor y = linear.forward(input_of(linear, x));
    EXPECT_EQ(y.sizes(), at::IntArrayRef({2, rows, weight.size(0)}));
    EXPECT_TRUE(equals_float(y, x, weight, bias)) << rows;
  }
  // On a GPU 64 rows and fewer need no weight in float.
  EXPECT_EQ(context_.counters->dequantized_tiles, context_.device.is_cpu() ? 0 : 1);
}

TEST_P(QuantizedLinears, GroupedEqualsDequantizedWeights) {
  for (const auto& [element, group] : {std::pair<Dtype, int64_t>{Dtype::kI4, 16},
                                       {Dtype::kI4, 12},
                                       {Dtype::kI4, 32},
                                       {Dtype::kI8, 16}}) {
    for (const bool half_scales : {false, true}) {
      const int64_t k = 96;
      QuantizedSite codes;
      codes.element = element, codes.group = group;
      codes.q = element == Dtype::kI4 ? at::randint(-8, 8, {21, k}, at::kChar)
                                      : at::randint(-128, 128, {21, k}, at::kChar);
      codes.scale = at::rand({21, k / group}) * 0.01 + 0.001;
      // A GPU holds scales in the compute type where none is rounded by that.
      if (half_scales) codes.scale = codes.scale.to(context_.compute).to(at::kFloat);
      codes.bias = at::rand({21}).to(context_.device, context_.compute);
      const auto linear = make_quantized_linear(codes, context_);
      const auto [weight, bias] = widened(codes);
      for (const int64_t rows : {1, 16, 17, 40, 80}) {
        const at::Tensor x = normals({rows, k});
        EXPECT_TRUE(equals_float(linear->forward(input_of(*linear, x)), x, weight, bias))
            << name(element) << " " << group << " " << rows;
      }
      // A CPU's panels have 32 rows, a GPU's 16 of 128 columns.
      const int64_t panel_rows = 32, columns = context_.device.is_cpu() ? k : 128;
      EXPECT_LT(linear->bytes(), static_cast<uint64_t>(panel_rows * columns * bits(element) / 8 +
                                                       panel_rows * columns / group * 4 + 200));
    }
  }
}

TEST_P(QuantizedLinears, KeptHalfWeightsAreNotWidenedWhole) {
  Codes kept;
  const Site head{kOutside, "head", {{"head", 1300, 37, false}}, ""};
  const at::Tensor weight = at::randn({1300, 37}).to(at::kHalf);
  kept.weights["head.weight"].dense = weight;
  KeptLinear linear(head, kept, context_);
  EXPECT_EQ(linear.bytes(), 1300U * 37 * 2);
  // On a GPU it is held in the compute type.
  const at::Tensor held = wide(context_.device.is_cpu() ? weight : weight.to(context_.compute));
  for (const int64_t rows : {1, 16, 17, 64, 100}) {
    const at::Tensor x = normals({rows, 37}), y = linear.forward(input_of(linear, x));
    const at::Tensor expected = at::linear(wide(x), held);
    const at::Tensor size = at::linear(wide(x).abs(), held.abs());
    const at::Tensor allowed =
        context_.device.is_cpu() ? 1e-4 + 1e-4 * expected.abs() : size * 2 * unit() + 0x1p-24;
    EXPECT_TRUE((wide(y) - expected).abs().le(allowed).all().item<bool>()) << rows;
  }
  EXPECT_LE(context_.counters->largest_tile_rows, 512);
  if (context_.device.is_cpu()) {
    EXPECT_GT(context_.counters->dequantized_tiles, 0);
  }
}

const auto kPlaceName = [](const auto& info) { return test::name_of(info.param); };
INSTANTIATE_TEST_SUITE_P(Cpu, QuantizedLinears, testing::Values(test::Place{}), kPlaceName);
INSTANTIATE_TEST_SUITE_P(Gpu, QuantizedLinears,
                         testing::Values(test::Place{"cuda", at::kHalf},
                                         test::Place{"cuda", at::kBFloat16}),
                         kPlaceName);

TEST(QuantizedSites, NeighboursMustAgree) {
  auto mixed = source(false, true);
  mixed->weights["b.weight"].input_scale = at::full({1}, 0.03F);
  EXPECT_THROW(load_quantized_site(site(), *mixed, {}), Error);
  mixed = source(true, false);
  mixed->weights["b.weight"].input = Format::kFloat;
  EXPECT_THROW(load_quantized_site(site(), *mixed, {}), Error);
}

}  // namespace
}  // namespace octet
