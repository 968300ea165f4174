#include "kernels/cpu/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <vector>

#include "tests/kernels/reference.h"
#include "tests/kernels/speed.h"

namespace octet::cpu {
namespace {

struct Shape {
  int64_t batch, heads, kv_heads, queries, keys, dim;
  bool causal;
};

// One buffer [batch, steps, heads + 2 kv_heads, dim] as a fused projection writes it; keys before
// the queries stand in a cache of their own.
class Attention : public ::testing::TestWithParam<Level> {
 protected:
  static std::vector<float> normal(int64_t count, const char* purpose) {
    const Random random(7, purpose);
    std::vector<float> x(static_cast<size_t>(count));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(2 * random.normal(i));
    return x;
  }

  // All three interleave heads within a step, so that no view is contiguous.
  static HeadsView view(const std::vector<float>& data, int64_t heads, int64_t steps, int64_t dim) {
    return {data.data(), steps * heads * dim, dim, heads * dim};
  }

  void make(const Shape& s) {
    q_ = normal(s.batch * s.queries * s.heads * s.dim, "q");
    k_ = normal(s.batch * s.keys * s.kv_heads * s.dim, "k");
    v_ = normal(s.batch * s.keys * s.kv_heads * s.dim, "v");
    call_ = {view(q_, s.heads, s.queries, s.dim),
             view(k_, s.kv_heads, s.keys, s.dim),
             view(v_, s.kv_heads, s.keys, s.dim),
             s.batch,
             s.heads,
             s.kv_heads,
             s.queries,
             s.keys,
             s.dim,
             s.causal};
  }

  std::vector<float> run() const {
    std::vector<float> y(q_.size(), std::numeric_limits<float>::quiet_NaN());
    attention(call_, y.data(), GetParam());
    return y;
  }

  void SetUp() override {
    if (GetParam() > best_level()) GTEST_SKIP() << "this CPU lacks " << name(GetParam());
  }

  std::vector<float> q_, k_, v_;
  AttentionCall call_;
};

TEST_P(Attention, EqualsTheDefinition) {
  const Shape shapes[] = {
      {1, 1, 1, 1, 1, 8, true},      {2, 3, 1, 5, 5, 64, true},   {1, 4, 2, 25, 25, 64, false},
      {1, 9, 3, 70, 70, 64, true},   {1, 2, 2, 30, 47, 40, true}, {1, 2, 1, 3, 600, 32, false},
      {1, 2, 1, 40, 1100, 16, true}, {1, 2, 2, 49, 49, 33, true}, {1, 1, 1, 24, 512, 128, true},
      {1, 1, 1, 25, 513, 7, true},
  };
  for (const Shape& s : shapes) {
    make(s);
    const std::vector<float> y = run();
    const std::vector<double> expected = reference::attention(call_);
    for (size_t i = 0; i < y.size(); ++i) {
      // Scores reach 100, where one unit in the last place is 8e-6: so uncertain is every weight.
      ASSERT_NEAR(y[i], expected[i], 2e-5 * (1 + std::abs(expected[i])))
          << i << " of " << s.queries << "x" << s.keys << "x" << s.dim;
    }
  }
}

TEST_P(Attention, RowsDoNotDependOnOtherRows) {
  make({1, 2, 1, 60, 60, 64, true});
  const std::vector<float> whole = run();
  const int64_t row = 2 * 64;
  AttentionCall call = call_;
  for (const int64_t queries : {1, 7, 31}) {  // the first ones alone
    call.queries = call.keys = queries;
    std::vector<float> y(static_cast<size_t>(queries * row));
    attention(call, y.data(), GetParam());
    EXPECT_TRUE(std::equal(y.begin(), y.end(), whole.begin())) << queries;
  }
}

TEST_P(Attention, LargeScoresDoNotOverflowAndNanStaysVisible) {
  make({1, 1, 1, 30, 600, 32, false});
  for (float& value : q_) value *= 500;
  for (const float value : run()) ASSERT_TRUE(std::isfinite(value));
  k_[599 * 32] = std::numeric_limits<float>::quiet_NaN();
  for (const float value : run()) ASSERT_TRUE(std::isnan(value));
}

// The attention of SmolLM2-135M over 512 tokens.
class AttentionSpeedSlow : public Attention {};

TEST_P(AttentionSpeedSlow, Prefill) {
  if (!speed_wanted()) GTEST_SKIP() << "set OCTET_SPEED to time attention";
  make({1, 9, 3, 512, 512, 64, true});
  std::vector<float> y(q_.size());
  const double ms = median_ms(1, [&](int64_t) { attention(call_, y.data(), GetParam()); });
  std::printf("speed attention heads=9 kv_heads=3 tokens=512 dim=64 level=%s ms=%.4f\n",
              name(GetParam()).c_str(), ms);
}

const auto kLevels = ::testing::Values(Level::kPortable, Level::kAvx2, Level::kVnni);
INSTANTIATE_TEST_SUITE_P(Levels, AttentionSpeedSlow, kLevels);
INSTANTIATE_TEST_SUITE_P(Levels, Attention, kLevels);

}  // namespace
}  // namespace octet::cpu
