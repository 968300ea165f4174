#include "kernels/cpu/gemm/int8_gemm.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"
#include "tests/kernels/levels.h"
#include "tests/kernels/reference.h"

namespace octet::cpu {
namespace {

struct Case {
  Case(int64_t m, int64_t n, int64_t k, uint64_t seed) : m(m), n(n), k(k) {
    const Random random(seed, "int8_gemm_test");
    w.resize(n * k), x.resize(m * k);
    // A quarter of the codes are extremes, weights down to -128.
    for (size_t i = 0; i < w.size(); ++i) w[i] = code(random.bits(i), -128);
    for (size_t i = 0; i < x.size(); ++i) x[i] = code(random.bits(1'000'000'000 + i), -127);
    for (int64_t i = 0; i < m; ++i) row_scale.push_back(0.001f + random.uniform(2e9 + i));
    for (int64_t i = 0; i < n; ++i) col_scale.push_back(0.001f + random.uniform(3e9 + i));
    for (int64_t i = 0; i < n; ++i) bias.push_back(random.normal(4e9 + i));
  }
  static int8_t code(uint64_t bits, int lowest) {
    if (bits % 8 == 0) return 127;
    if (bits % 8 == 1) return static_cast<int8_t>(lowest);
    return static_cast<int8_t>(static_cast<int>(bits >> 8 & 255) - 128 < lowest
                                   ? 0
                                   : static_cast<int>(bits >> 8 & 255) - 128);
  }
  std::vector<float> expected(bool per_row, bool with_bias) const {
    std::vector<float> y(m * n);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const auto sum = static_cast<float>(reference::dot(&x[i * k], &w[j * k], k));
        const float scaled = sum * row_scale[per_row ? i : 0] * col_scale[j];
        y[i * n + j] = with_bias ? scaled + bias[j] : scaled;
      }
    }
    return y;
  }
  std::vector<float> actual(Level level, bool per_row, bool with_bias) const {
    const PackedInt8 packed(w.data(), n, k, level);
    std::vector<float> y(m * n + 1, -7.0f);  // one more to see a write past the end
    int8_gemm(packed, x.data(), m, row_scale.data(), per_row, col_scale.data(),
              with_bias ? bias.data() : nullptr, y.data());
    EXPECT_EQ(y.back(), -7.0f);
    y.pop_back();
    return y;
  }
  int64_t m, n, k;
  std::vector<int8_t> w, x;
  std::vector<float> row_scale, col_scale, bias;
};

class Int8GemmLevel : public LevelTest {
 protected:
  static void check(const Case& c, bool per_row, bool with_bias) {
    const std::vector<float> expected = c.expected(per_row, with_bias);
    const std::vector<float> actual = c.actual(GetParam(), per_row, with_bias);
    ASSERT_EQ(expected.size(), actual.size());
    if (expected.empty()) return;
    ASSERT_EQ(0, std::memcmp(expected.data(), actual.data(), actual.size() * sizeof(float)))
        << "m " << c.m << " n " << c.n << " k " << c.k;
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Int8GemmLevel, every_level(), level_name);

// Whole tiles along k and row counts around whole blocks: the path for AMX where the CPU has it.
TEST_P(Int8GemmLevel, MatchesReferenceOnTileShapes) {
  for (int64_t m : {31, 32, 33, 63, 64, 255, 256, 257, 287, 288, 289, 512, 530}) {
    check(Case(m, 70, 64, m), m % 2, m % 3 == 0);
    check(Case(m, 33, 192, m), m % 3 == 0, m % 2);
  }
  for (int64_t n : {1, 15, 16, 17, 31, 32, 48, 49, 64, 576})
    check(Case(40, n, 576, n), true, n % 2);
  check(Case(33, 40, 1536, 1), false, true);
}

TEST_P(Int8GemmLevel, MatchesReferenceOnEverySmallShape) {
  for (int64_t n = 1; n <= 70; n += n < 36 ? 1 : 5) {
    for (int64_t k = 1; k <= 70; k += k < 12 ? 1 : 7) {
      const int64_t m = (n * 7 + k) % 10;
      check(Case(m, n, k, n * 100 + k), n % 2, k % 2);
    }
  }
}

TEST_P(Int8GemmLevel, MatchesReferenceOnModelShapes) {
  for (int64_t m : {1, 2, 3, 5, 8, 9, 16, 17, 33, 130}) {
    check(Case(m, 576, 576, m), true, false);
    check(Case(m, 192, 1536, m), false, true);
  }
  check(Case(1, 1536, 4608, 1), true, true);
}

TEST_P(Int8GemmLevel, LargestSumsAreExact) {
  const int64_t k = int64_t{1} << 17;
  Case c(2, 3, k, 1);
  std::fill(c.w.begin(), c.w.end(), -128);
  std::fill(c.x.begin(), c.x.begin() + k, 127);
  std::fill(c.x.begin() + k, c.x.end(), -127);
  check(c, true, false);
}

TEST_P(Int8GemmLevel, LowestActivationCode) {
  Case c(3, 17, 65, 2);
  std::fill(c.x.begin(), c.x.end(), -128);
  std::fill(c.w.begin(), c.w.end(), -128);
  check(c, true, true);
}

TEST(Int8Gemm, PackedWeightsKnowTheirSize) {
  const std::vector<int8_t> w(70 * 33, 1);
  const PackedInt8 packed(w.data(), 70, 33);
  EXPECT_EQ(packed.n(), 70);
  EXPECT_EQ(packed.k(), 33);
  EXPECT_GE(packed.bytes(), 70u * 33u);
}

TEST(Int8Gemm, LevelBeyondTheCpuIsRefused) {
  if (best_level() == Level::kVnni) GTEST_SKIP() << "this CPU has every level";
  const std::vector<int8_t> w(4);
  EXPECT_THROW(PackedInt8(w.data(), 2, 2, Level::kVnni), Error);
}

}  // namespace
}  // namespace octet::cpu
