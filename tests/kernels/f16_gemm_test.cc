#include "kernels/cpu/gemm/f16_gemm.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cstring>

#include "kernels/cpu/gemm/dots.h"
#include "tests/kernels/levels.h"
#include "tests/kernels/reference.h"

namespace octet::cpu {
namespace {

struct Case {
  Case(int64_t m, int64_t n, int64_t k) : m(m), n(n), k(k) {
    const Random random(static_cast<uint64_t>(n * 1000 + k), "f16_gemm_test");
    for (int64_t i = 0; i < m * k; ++i) x.push_back(static_cast<float>(random.normal(i)));
    for (int64_t i = 0; i < n * k; ++i) {
      // Exponents 0 (subnormal) to 20, either sign.
      const uint64_t bits = random.bits(2'000'000'000 + i);
      half.push_back(static_cast<uint16_t>((bits & 0x83ff) | (bits >> 20) % 21 << 10));
    }
    for (int64_t j = 0; j < n; ++j) {
      bias.push_back(static_cast<float>(random.normal(4'000'000'000 + j)));
    }
  }
  double weight(int64_t j, int64_t i) const { return reference::from_half(half[j * k + i]); }
  int64_t m, n, k;
  std::vector<float> x, bias;
  std::vector<uint16_t> half;
};

/// |error| of a float32 sum of k products in any order: k + 3 roundings of the sum of magnitudes at
/// most.
void expect_close(const Case& c, const std::vector<float>& y, const float* bias) {
  for (int64_t i = 0; i < c.m; ++i) {
    for (int64_t j = 0; j < c.n; ++j) {
      double sum = bias ? bias[j] : 0, size = std::abs(sum);
      for (int64_t l = 0; l < c.k; ++l) {
        sum += c.x[i * c.k + l] * c.weight(j, l);
        size += std::abs(c.x[i * c.k + l] * c.weight(j, l));
      }
      const double bound = size * (static_cast<double>(c.k) / 8 + 8) * 0x1p-24;
      ASSERT_NEAR(y[i * c.n + j], sum, bound) << c.m << " " << c.n << " " << c.k;
    }
  }
}

void check(const Case& c, bool with_bias) {
  const float* bias = with_bias ? c.bias.data() : nullptr;
  std::vector<float> y(c.m * c.n);
  f16_gemm(c.half.data(), bias, c.x.data(), c.m, c.n, c.k, y.data());
  expect_close(c, y, bias);
}

TEST(F16Gemm, MatchesReferenceOnSmallShapes) {
  for (int64_t n : {1, 2, 3, 4, 5, 7, 8, 33, 70}) {
    for (int64_t k : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 70})
      check(Case((n + k) % 10, n, k), k % 2);
  }
}

TEST(F16Gemm, MatchesReferenceOnModelShapes) {
  for (int64_t m : {1, 2, 3, 4, 7, 8, 9, 16, 17, 33}) check(Case(m, 101, 576), m % 2);
  check(Case(1, 64, 1536), true);
}

TEST(F16Gemm, BitsOfARowDependOnNeitherRowsNorThreads) {
  const Case c(17, 67, 575);
  std::vector<float> all(c.m * c.n), one(c.n);
  f16_gemm(c.half.data(), nullptr, c.x.data(), c.m, c.n, c.k, all.data());
  const int threads = omp_get_max_threads();
  omp_set_num_threads(threads == 1 ? 3 : 1);
  for (int64_t i = 0; i < c.m; ++i) {
    const float* x = c.x.data() + i * c.k;
    f16_gemm(c.half.data(), nullptr, x, 1, c.n, c.k, one.data());
    ASSERT_EQ(0, std::memcmp(one.data(), all.data() + i * c.n, c.n * sizeof(float)));
  }
  omp_set_num_threads(threads);
}

class F16GemmLevel : public LevelTest {};
INSTANTIATE_TEST_SUITE_P(Every, F16GemmLevel, every_level(), level_name);

// A dot product with 1 is the widened weight itself; infinities and NaNs are left out, because the
// last lanes of a vector would multiply them with 0.
TEST_P(F16GemmLevel, EveryFiniteHalfWidensExactly) {
  const float one = 1;
  for (int i = 0; i < 65536; ++i) {
    const auto half = static_cast<uint16_t>(i);
    const float expected = reference::from_half(half);
    if (!std::isfinite(expected)) continue;
    float wide = 0;
    best_dots(GetParam())(&half, 1, &one, 1, 1, &wide);
    ASSERT_EQ(wide, expected) << i;
  }
}

TEST_P(F16GemmLevel, AgreesWithThePlainLoopsWithinRounding) {
  const Case c(5, 4, 333);
  std::vector<float> base(5 * kDotColumns), other(5 * kDotColumns);
  dots_portable()(c.half.data(), 4, c.x.data(), 5, c.k, base.data());
  best_dots(GetParam())(c.half.data(), 4, c.x.data(), 5, c.k, other.data());
  for (size_t i = 0; i < base.size(); ++i) EXPECT_NEAR(base[i], other[i], 333 * 70 * 1e-6);
}

}  // namespace
}  // namespace octet::cpu
