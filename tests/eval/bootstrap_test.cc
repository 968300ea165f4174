#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "tests/cpu_time.h"

namespace octet {
namespace {

// `count` sentences of 20 words; the share of matching n-grams varies around `share`.
std::vector<BleuStats> sentences(size_t count, double share, const char* purpose) {
  const Random random(1, purpose);
  std::vector<BleuStats> out;
  for (size_t i = 0; i < count; ++i) {
    BleuStats stats{20, 20, {}, {20, 19, 18, 17}};
    double matches = 1;
    for (size_t n = 0; n < 4; ++n) {
      matches *= share + 0.1 * random.uniform(4 * i + n);
      stats.correct[n] = std::lround(matches * static_cast<double>(stats.total[n]));
    }
    out.push_back(stats);
  }
  return out;
}

// `stats` with one matching word and pair less in every `step`-th sentence.
std::vector<BleuStats> worse(std::vector<BleuStats> stats, size_t step) {
  for (size_t i = 0; i < stats.size(); i += step) {
    --stats[i].correct[0];
    stats[i].correct[1] -= stats[i].correct[1] > 0 ? 1 : 0;
  }
  return stats;
}

TEST(Bootstrap, FindsARealLoss) {
  const auto baseline = sentences(500, 0.6, "test/a");
  const PairedScores pair = compare_bleu(worse(baseline, 2), baseline);
  EXPECT_LT(pair.delta, 0);
  EXPECT_LT(pair.delta_high, 0);
  EXPECT_LE(pair.delta_low, pair.delta);
  EXPECT_GE(pair.delta_high, pair.delta);
  EXPECT_LT(pair.p_value, 0.01);
  // Paired: what both share drops out, so the difference is surer than either score.
  EXPECT_LT(pair.delta_high - pair.delta_low, 0.5 * (pair.system.high - pair.system.low));
  EXPECT_LT(pair.system.low, pair.system.score);
  EXPECT_GT(pair.system.high, pair.system.score);
  EXPECT_DOUBLE_EQ(pair.delta, pair.system.score - pair.baseline.score);
}

TEST(Bootstrap, CallsNoiseNoise) {
  const PairedScores pair =
      compare_bleu(sentences(200, 0.6, "test/a"), sentences(200, 0.6, "test/b"));
  EXPECT_LT(pair.delta_low, 0);
  EXPECT_GT(pair.delta_high, 0);
  EXPECT_GT(pair.p_value, 0.05);
}

TEST(Bootstrap, EqualSystemsDoNotDiffer) {
  const auto stats = sentences(50, 0.6, "test/a");
  const PairedScores pair = compare_bleu(stats, stats);
  EXPECT_EQ(pair.delta, 0);
  EXPECT_EQ(pair.delta_low, 0);
  EXPECT_EQ(pair.delta_high, 0);
  EXPECT_EQ(pair.p_value, 1);
}

TEST(Bootstrap, SwappedSystemsMirror) {
  const auto a = sentences(80, 0.6, "test/a"), b = sentences(80, 0.55, "test/b");
  const PairedScores one = compare_bleu(a, b), other = compare_bleu(b, a);
  EXPECT_EQ(one.delta, -other.delta);
  EXPECT_EQ(one.delta_low, -other.delta_high);
  EXPECT_EQ(one.p_value, other.p_value);
}

TEST(Bootstrap, AloneIsTheSameAsPaired) {
  const auto a = sentences(80, 0.6, "test/a"), b = sentences(80, 0.5, "test/b");
  const ResampledScore alone = resample_bleu(a);
  EXPECT_EQ(alone.low, compare_bleu(a, b).system.low);
  EXPECT_EQ(alone.score, compare_bleu(a, b).system.score);
  EXPECT_NE(resample_bleu(a, {1000, 1}).mean, alone.mean);
}

TEST(Bootstrap, Refuses) {
  const auto a = sentences(3, 0.6, "test/a"), b = sentences(4, 0.5, "test/b");
  EXPECT_THROW(compare_bleu(a, b), Error);
  EXPECT_THROW(resample_bleu({}), Error);
  EXPECT_THROW(resample_bleu(a, {39, 1}), Error);
  EXPECT_THROW(resample_chrf({}), Error);
}

// A resample adds up statistics of sentences; it counts no n-grams again and allocates nothing a
// sentence. The bound is a multiple of the plain sums of as many rows for both systems.
TEST(Bootstrap, CostsHardlyMoreThanItsSums) {
  const auto a = sentences(1000, 0.6, "test/a"), b = sentences(1000, 0.6, "test/b");
  std::vector<std::array<float, 10>> rows(1000);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].fill(static_cast<float>(i));
  std::array<float, 10> sums{};
  const double plain = test::cpu_seconds([&] {
    uint32_t at = 1;
    for (int i = 0; i < 2 * 1000 * 1000; ++i) {
      at = at * 1664525 + 1013904223;
      const auto& row = rows[(at >> 16) % 1000];
      for (size_t k = 0; k < sums.size(); ++k) sums[k] += row[k];
    }
  });
  EXPECT_GT(sums[0], 0);
  const double whole = test::cpu_seconds([&] { compare_bleu(a, b); });
  std::printf("1000 paired resamples of 1000 sentences: %.4f CPU s, their sums %.4f\n", whole,
              plain);
  EXPECT_LT(whole, 8 * plain);
}

}  // namespace
}  // namespace octet
