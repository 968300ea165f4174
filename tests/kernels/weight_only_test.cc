#include "kernels/cpu/weight_only.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cstring>

#include "kernels/cpu/dots.h"
#include "tests/kernels/reference.h"

namespace octet::cpu {
namespace {

struct Case {
  Case(int64_t m, int64_t n, int64_t k) : m(m), n(n), k(k) {
    const Random random(static_cast<uint64_t>(n * 1000 + k), "weight_only_test");
    for (int64_t i = 0; i < m * k; ++i) x.push_back(static_cast<float>(random.normal(i)));
    for (int64_t i = 0; i < n * k; ++i) {
      q.push_back(static_cast<int8_t>(random.bits(1'000'000'000 + i)));
      // Exponents 0 (subnormal) to 20, either sign.
      const uint64_t bits = random.bits(2'000'000'000 + i);
      half.push_back(static_cast<uint16_t>((bits & 0x83ff) | (bits >> 20) % 21 << 10));
    }
    for (int64_t j = 0; j < n; ++j) {
      scale.push_back(static_cast<float>(0.01 + random.uniform(3'000'000'000 + j)));
      bias.push_back(static_cast<float>(random.normal(4'000'000'000 + j)));
    }
  }
  double int8_weight(int64_t j, int64_t i) const { return double{scale[j]} * q[j * k + i]; }
  double half_weight(int64_t j, int64_t i) const { return reference::from_half(half[j * k + i]); }
  int64_t m, n, k;
  std::vector<float> x, scale, bias;
  std::vector<int8_t> q;
  std::vector<uint16_t> half;
};

/// |error| of a float32 sum of k products in any order: k + 3 roundings of the sum of magnitudes at
/// most.
template <typename Weight>
void expect_close(const Case& c, const std::vector<float>& y, const float* bias,
                  const Weight& weight) {
  for (int64_t i = 0; i < c.m; ++i) {
    for (int64_t j = 0; j < c.n; ++j) {
      double sum = bias ? bias[j] : 0, size = std::abs(sum);
      for (int64_t l = 0; l < c.k; ++l) {
        sum += c.x[i * c.k + l] * weight(j, l);
        size += std::abs(c.x[i * c.k + l] * weight(j, l));
      }
      const double bound = size * (static_cast<double>(c.k) / 8 + 8) * 0x1p-24;
      ASSERT_NEAR(y[i * c.n + j], sum, bound) << c.m << " " << c.n << " " << c.k;
    }
  }
}

void check(const Case& c, bool with_bias) {
  const float* bias = with_bias ? c.bias.data() : nullptr;
  std::vector<float> y(c.m * c.n);
  w8a16_gemm(c.q.data(), c.scale.data(), bias, c.x.data(), c.m, c.n, c.k, y.data());
  expect_close(c, y, bias, [&](int64_t j, int64_t l) { return c.int8_weight(j, l); });
  f16_gemm(c.half.data(), bias, c.x.data(), c.m, c.n, c.k, y.data());
  expect_close(c, y, bias, [&](int64_t j, int64_t l) { return c.half_weight(j, l); });
}

TEST(WeightOnly, MatchesReferenceOnSmallShapes) {
  for (int64_t n : {1, 2, 3, 4, 5, 7, 8, 33, 70}) {
    for (int64_t k : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 70})
      check(Case((n + k) % 10, n, k), k % 2);
  }
}

TEST(WeightOnly, MatchesReferenceOnModelShapes) {
  for (int64_t m : {1, 2, 3, 4, 7, 8, 9, 16, 17, 33}) check(Case(m, 101, 576), m % 2);
  check(Case(1, 64, 1536), true);
}

TEST(WeightOnly, BitsOfARowDependOnNeitherRowsNorThreads) {
  const Case c(17, 67, 575);
  std::vector<float> all(c.m * c.n), one(c.n), half_all(c.m * c.n);
  w8a16_gemm(c.q.data(), c.scale.data(), c.bias.data(), c.x.data(), c.m, c.n, c.k, all.data());
  f16_gemm(c.half.data(), nullptr, c.x.data(), c.m, c.n, c.k, half_all.data());
  const int threads = omp_get_max_threads();
  omp_set_num_threads(threads == 1 ? 3 : 1);
  for (int64_t i = 0; i < c.m; ++i) {
    const float* x = c.x.data() + i * c.k;
    w8a16_gemm(c.q.data(), c.scale.data(), c.bias.data(), x, 1, c.n, c.k, one.data());
    ASSERT_EQ(0, std::memcmp(one.data(), all.data() + i * c.n, c.n * sizeof(float)));
    f16_gemm(c.half.data(), nullptr, x, 1, c.n, c.k, one.data());
    ASSERT_EQ(0, std::memcmp(one.data(), half_all.data() + i * c.n, c.n * sizeof(float)));
  }
  omp_set_num_threads(threads);
}

TEST(WeightOnly, EveryHalfWidensExactlyOnEveryLevel) {
  std::vector<uint16_t> half(65536);
  for (int i = 0; i < 65536; ++i) half[i] = static_cast<uint16_t>(i);
  for (Level level : {Level::kPortable, Level::kAvx2, Level::kVnni}) {
    if (level > best_level()) continue;
    std::vector<float> wide(65536);
    dot_kernels(level).widen_half(half.data(), 65536, wide.data());
    for (int i = 0; i < 65536; ++i) {
      const float expected = reference::from_half(half[i]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(wide[i])) << i;
      } else {
        ASSERT_EQ(std::bit_cast<uint32_t>(wide[i]), std::bit_cast<uint32_t>(expected)) << i;
      }
    }
  }
}

TEST(WeightOnly, WidenedRowsAreCodeTimesScale) {
  for (int64_t k : {1, 7, 8, 9, 70}) {
    const Case c(0, 5, k);
    std::vector<float> wide(5 * k), wide_half(5 * k);
    widen_int8_rows(c.q.data(), c.scale.data(), 5, k, wide.data());
    widen_f16_rows(c.half.data(), 5, k, wide_half.data());
    for (int64_t i = 0; i < 5 * k; ++i) {
      ASSERT_EQ(wide[i], static_cast<float>(c.q[i]) * c.scale[i / k]);
      ASSERT_EQ(wide_half[i], reference::from_half(c.half[i]));
    }
  }
}

TEST(WeightOnly, LevelsAgreeWithinRounding) {
  const Case c(5, 4, 333);
  std::vector<float> base(5 * kDotColumns), other(5 * kDotColumns);
  dot_kernels_portable().int8(c.q.data(), 4, c.x.data(), 5, c.k, base.data());
  for (Level level : {Level::kAvx2, Level::kVnni}) {
    if (level > best_level()) continue;
    dot_kernels(level).int8(c.q.data(), 4, c.x.data(), 5, c.k, other.data());
    for (size_t i = 0; i < base.size(); ++i) EXPECT_NEAR(base[i], other[i], 333 * 128 * 1e-6);
  }
}

}  // namespace
}  // namespace octet::cpu
