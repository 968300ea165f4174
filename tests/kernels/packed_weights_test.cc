#include "kernels/cpu/gemm/packed_weights.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "kernels/cpu/gemm/packed_block.h"
#include "tests/kernels/levels.h"
#include "tests/kernels/reference.h"
#include "tests/kernels/speed.h"

namespace octet::cpu {
namespace {

struct Case {
  Case(int64_t m, int64_t n, int64_t k, int64_t group, Dtype element)
      : m(m), n(n), k(k), group(group), element(element) {
    const Random random(static_cast<uint64_t>(n * 1000 + k), "packed_weights_test");
    const int64_t groups = k / group, codes_of_bits = int64_t{1} << bits(element);
    for (int64_t i = 0; i < m * k; ++i) x.push_back(static_cast<float>(random.normal(i)));
    for (int64_t i = 0; i < n * k; ++i) {
      codes.push_back(
          static_cast<int8_t>(static_cast<int64_t>(random.below(1'000'000'000 + i, codes_of_bits)) -
                              codes_of_bits / 2));
    }
    for (int64_t i = 0; i < n * groups; ++i) {
      scales.push_back(static_cast<float>(0.01 + random.uniform(2'000'000'000 + i)));
    }
    for (int64_t i = 0; i < n; ++i) {
      bias.push_back(static_cast<float>(random.normal(3'000'000'000 + i)));
    }
  }
  PackedWeights packed() const { return {codes.data(), scales.data(), n, k, group, element}; }
  std::vector<float> run(const float* bias_or_null, PackedRoute route) const {
    std::vector<float> y(static_cast<size_t>(m * n));
    packed().gemm(x.data(), m, bias_or_null, y.data(), route);
    return y;
  }
  int64_t m, n, k, group;
  Dtype element;
  std::vector<float> x, scales, bias;
  std::vector<int8_t> codes;
};

/// The error of a sum of k products, each rounded to `unit` relative to its size, in any order.
void expect_close(const Case& c, const std::vector<float>& y, const float* bias, double unit) {
  for (int64_t i = 0; i < c.m; ++i) {
    for (int64_t j = 0; j < c.n; ++j) {
      double sum = bias != nullptr ? bias[j] : 0, size = std::abs(sum), squares = 0;
      for (int64_t l = 0; l < c.k; ++l) {
        const double scale = c.scales[j * (c.k / c.group) + l / c.group];
        const double product = c.x[i * c.k + l] * scale * c.codes[j * c.k + l];
        sum += product;
        size += std::abs(product);
        squares += product * product;
      }
      // Roundings of operands are independent: six deviations of their sum, but never more than
      // all.
      const double operands = unit * std::min(size, 6 * std::sqrt(squares));
      const double sums = size * (static_cast<double>(c.k) / 8 + 8) * 0x1p-24;
      ASSERT_NEAR(y[i * c.n + j], sum, operands + sums)
          << c.m << " " << c.n << " " << c.k << " group " << c.group << " of " << name(c.element);
    }
  }
}

class PackedWeightsRoute : public ::testing::TestWithParam<PackedRoute> {
 protected:
  void SetUp() override {
    if (GetParam() == PackedRoute::kBf16 && !has_bf16()) GTEST_SKIP() << "no AVX512-BF16";
    if (GetParam() == PackedRoute::kAmx && !has_amx_bf16()) GTEST_SKIP() << "no AMX";
  }
  // Two operands rounded to eight bits, half a unit each.
  double unit() const { return GetParam() == PackedRoute::kFloat ? 0 : 0x1p-8; }
  void check(const Case& c, bool with_bias) const {
    const float* bias = with_bias ? c.bias.data() : nullptr;
    expect_close(c, c.run(bias, GetParam()), bias, c.m <= 2 ? 0 : unit());
  }
};

TEST_P(PackedWeightsRoute, MatchesDoublesForInt8PerChannel) {
  for (const int64_t n : {1, 31, 32, 33, 130}) {
    for (const int64_t k : {1, 2, 7, 16, 33, 70, 600}) {
      check(Case((n + k) % 11, n, k, k, Dtype::kI8), k % 2 == 0);
    }
  }
}

TEST_P(PackedWeightsRoute, MatchesDoublesForGroups) {
  for (const Dtype element : {Dtype::kI4, Dtype::kI8}) {
    for (const int64_t group : {2, 8, 32, 64, 96}) {
      check(Case(group % 7, 70, 2 * group, group, element), true);
      check(Case(17, 40, 9 * group, group, element), false);
    }
    check(Case(5, 64, 576, 576, element), true);
  }
}

TEST_P(PackedWeightsRoute, MatchesDoublesForEveryNumberOfRows) {
  for (const int64_t m : {0, 1, 2, 3, 4, 5, 12, 15, 16, 17, 31, 32, 33, 65, 200, 400}) {
    check(Case(m, 45, 64, 32, Dtype::kI4), m % 2 == 0);
    check(Case(m, 45, 65, 65, Dtype::kI8), m % 2 != 0);
  }
}

TEST_P(PackedWeightsRoute, BitsDoNotDependOnThreads) {
  const Case c(37, 200, 256, 64, Dtype::kI4);
  const std::vector<float> whole = c.run(nullptr, GetParam());
  const int threads = omp_get_max_threads();
  omp_set_num_threads(threads == 1 ? 3 : 1);
  EXPECT_EQ(whole, c.run(nullptr, GetParam()));
  omp_set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(Routes, PackedWeightsRoute,
                         ::testing::Values(PackedRoute::kFloat, PackedRoute::kBf16,
                                           PackedRoute::kAmx));

class PackedWeightsLevel : public LevelTest {};
INSTANTIATE_TEST_SUITE_P(Every, PackedWeightsLevel, every_level(), level_name);

// The loops of a level by themselves, against the plain ones.
TEST_P(PackedWeightsLevel, AgreesWithThePlainLoopsWithinRounding) {
  for (const Dtype element : {Dtype::kI4, Dtype::kI8}) {
    const Case c(4, 32, 96, 32, element);
    const PackedWeights packed = c.packed();
    const PackedPanel panel = packed.panel(0);
    std::vector<float> expected(4 * kPanelColumns);
    packed_kernels_portable().few(panel, 1, c.x.data(), 1, expected.data());
    std::vector<float> wide(96 * kPanelColumns);
    packed_kernels_portable().dequantize(panel, 0, 96, wide.data());
    double total = 0;
    for (const float v : wide) total += v;
    const PackedKernels& kernels = packed_kernels(GetParam());
    std::vector<float> sums(4 * kPanelColumns), other(wide.size()), product(kPanelColumns);
    kernels.few(panel, 1, c.x.data(), 1, sums.data());
    kernels.dequantize(panel, 0, 96, other.data());
    kernels.multiply(other.data(), 96, c.x.data(), 96, 1, product.data());
    double other_total = 0;
    for (const float v : other) other_total += v;
    EXPECT_NEAR(other_total, total, 1e-3);
    for (int64_t j = 0; j < kPanelColumns; ++j) {
      EXPECT_NEAR(sums[j], expected[j], 96 * 128 * 1e-6);
      EXPECT_NEAR(product[j], expected[j], 96 * 128 * 1e-6);
    }
  }
}

TEST(PackedWeights, RefusesGroupsThatDoNotFit) {
  const Case c(1, 4, 12, 12, Dtype::kI8);
  EXPECT_THROW(PackedWeights(c.codes.data(), c.scales.data(), 4, 12, 5, Dtype::kI8), Error);
  EXPECT_THROW(PackedWeights(c.codes.data(), c.scales.data(), 4, 12, 3, Dtype::kI8), Error);
  EXPECT_THROW(PackedWeights(c.codes.data(), c.scales.data(), 4, 12, 4, Dtype::kF4), Error);
  EXPECT_THROW(PackedWeights(c.codes.data(), c.scales.data(), 4, 12, 0, Dtype::kI4), Error);
}

TEST(PackedWeights, HoldsHalfAByteAWeight) {
  const Case c(1, 64, 256, 64, Dtype::kI4);
  EXPECT_EQ(c.packed().bytes(), 64 * 256 / 2 + 64 * 4 * sizeof(float));
}

TEST(PackedWeightsSpeedSlow, Linear) {
  if (!speed_wanted()) GTEST_SKIP() << "set OCTET_SPEED to time weight-only linears";
  for (const Dtype element : {Dtype::kI8, Dtype::kI4}) {
    const int64_t n = 4096, k = 4096, group = element == Dtype::kI8 ? k : 128;
    const Case c(1024, n, k, group, element);
    std::vector<PackedWeights> copies;
    for (int i = 0; i < (element == Dtype::kI8 ? 16 : 30); ++i) copies.push_back(c.packed());
    std::vector<float> y(static_cast<size_t>(c.m * n));
    for (const int64_t m : {1, 8, 32, 128, 512}) {
      const double ms = median_ms(static_cast<int64_t>(copies.size()), [&](int64_t i) {
        copies[static_cast<size_t>(i)].gemm(c.x.data(), m, nullptr, y.data());
      });
      std::printf("speed w%da16 n=%lld k=%lld m=%lld ms=%.4f\n", bits(element),
                  static_cast<long long>(n), static_cast<long long>(k), static_cast<long long>(m),
                  ms);
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace octet::cpu
