#include "eval/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/random.h"
#include "eval/latency.h"
#include "eval/memory.h"

namespace octet {
namespace {

WindowScores window_of(std::vector<float> nll, std::vector<float> ref, std::vector<float> kl,
                       std::vector<uint8_t> same) {
  return {std::move(nll), std::move(ref), std::move(kl), std::move(same)};
}

// `count` windows of `length` positions; the model is worse by 0.1 nats on average.
ScoreAccumulator random_windows(int64_t count, int64_t length, uint64_t seed = 1) {
  const Random random(seed, "test/windows");
  ScoreAccumulator out;
  uint64_t at = 0;
  for (int64_t w = 0; w < count; ++w) {
    WindowScores window;
    for (int64_t t = 0; t < length; ++t) {
      const double base = 2 + 0.5 * random.normal(at++), worse = 0.1 + 0.05 * random.normal(at++);
      window.nll.push_back(static_cast<float>(base + worse));
      window.ref_nll.push_back(static_cast<float>(base));
      window.kl.push_back(static_cast<float>(random.uniform(at++)));
      window.same_top1.push_back(random.uniform(at++) < 0.75);
    }
    out.add(window);
  }
  return out;
}

TEST(Percentile, InterpolatesLinearly) {
  const std::vector<double> values = {1, 2, 4, 8};
  EXPECT_DOUBLE_EQ(percentile(values, 0), 1);
  EXPECT_DOUBLE_EQ(percentile(values, 50), 3);
  EXPECT_DOUBLE_EQ(percentile(values, 99), 4 + 0.97 * 4);
  EXPECT_DOUBLE_EQ(percentile(values, 100), 8);
  EXPECT_DOUBLE_EQ(percentile(std::vector<double>{5}, 99.9), 5);
  EXPECT_THROW(percentile(std::vector<double>{}, 50), Error);
  EXPECT_THROW(percentile(values, 101), Error);
}

TEST(Statistics, HandComputed) {
  ScoreAccumulator scores;
  EXPECT_TRUE(std::isnan(scores.perplexity()));
  EXPECT_THROW(scores.result(), Error);
  scores.add(window_of({1, 2}, {1, 1}, {0.25F, 0.75F}, {1, 0}));
  scores.add(window_of({3}, {1}, {0.5F}, {1}));
  const Comparison c = scores.result();
  EXPECT_EQ(c.windows, 2);
  EXPECT_EQ(c.positions, 3);
  EXPECT_DOUBLE_EQ(c.perplexity, std::exp(2.0));  // by position, not by window
  EXPECT_DOUBLE_EQ(scores.perplexity(), c.perplexity);
  EXPECT_DOUBLE_EQ(c.ref_perplexity, std::exp(1.0));
  EXPECT_DOUBLE_EQ(c.delta_perplexity, std::exp(2.0) - std::exp(1.0));
  EXPECT_DOUBLE_EQ(c.ln_ratio, 1);
  EXPECT_DOUBLE_EQ(c.perplexity_ratio, std::exp(1.0));
  EXPECT_DOUBLE_EQ(c.kl_mean, 0.5);
  EXPECT_DOUBLE_EQ(c.kl_median, 0.5);
  EXPECT_DOUBLE_EQ(c.kl_p99, 0.5 + 0.98 * 0.25);
  EXPECT_DOUBLE_EQ(c.kl_p999, 0.5 + 0.998 * 0.25);
  EXPECT_DOUBLE_EQ(c.kl_max, 0.75);
  EXPECT_DOUBLE_EQ(c.same_top1, 2.0 / 3);
}

TEST(Statistics, OneWindowHasNoErrorBars) {
  ScoreAccumulator scores;
  scores.add(window_of({1, 2}, {1, 1}, {0.25F, 0.75F}, {1, 0}));
  const Comparison c = scores.result();
  EXPECT_DOUBLE_EQ(c.ln_ratio, 0.5);
  for (double se : {c.perplexity_se, c.kl_mean_se, c.ln_ratio_se, c.ln_ratio_low, c.same_top1_se}) {
    EXPECT_TRUE(std::isnan(se));
  }
}

TEST(Statistics, WithoutAReferenceOnlyPerplexity) {
  ScoreAccumulator scores;
  scores.add(window_of({1, 2}, {}, {}, {}));
  scores.add(window_of({2, 4}, {}, {}, {}));
  EXPECT_THROW(scores.add(window_of({1}, {1}, {0}, {1})), Error);
  const Comparison c = scores.result();
  EXPECT_FALSE(c.has_reference);
  EXPECT_DOUBLE_EQ(c.perplexity, std::exp(2.25));
  EXPECT_GT(c.perplexity_se, 0);
  for (double value :
       {c.kl_mean, c.kl_max, c.ref_perplexity, c.ln_ratio, c.same_top1, c.ln_ratio_se}) {
    EXPECT_TRUE(std::isnan(value));
  }
  EXPECT_TRUE(to_json(c)["kl_mean"].is_null());
  EXPECT_TRUE(to_json(c)["perplexity"].is_number());
}

TEST(Statistics, UnequalVectorsAreRefused) {
  ScoreAccumulator scores;
  EXPECT_THROW(scores.add({}), Error);
  EXPECT_THROW(scores.add(window_of({1, 2}, {1}, {0, 0}, {1, 1})), Error);
  EXPECT_THROW(scores.add(window_of({1, 2}, {1, 1}, {0}, {1, 1})), Error);
  EXPECT_EQ(scores.windows(), 0);
}

TEST(Statistics, BootstrapAgreesWithTheStandardErrorOfTheMean) {
  const Comparison c = random_windows(400, 16).result(3);
  // Independent positions: se = deviation / sqrt(6400); the bootstrap itself errs by about 3 %.
  EXPECT_NEAR(c.ln_ratio_se / (0.05 / 80), 1, 0.15);
  EXPECT_NEAR(c.perplexity_se / (c.perplexity * std::hypot(0.5, 0.05) / 80), 1, 0.15);
  EXPECT_NEAR(c.kl_mean_se / (std::sqrt(1.0 / 12) / 80), 1, 0.15);
  EXPECT_NEAR(c.same_top1_se / (std::sqrt(0.75 * 0.25) / 80), 1, 0.15);
  EXPECT_NEAR((c.ln_ratio_high - c.ln_ratio_low) / (2 * 1.96 * c.ln_ratio_se), 1, 0.1);
  EXPECT_LT(c.ln_ratio_low, 0.1);
  EXPECT_GT(c.ln_ratio_high, 0.1);
  // Paired: the common part of both models' losses drops out.
  EXPECT_LT(c.ln_ratio_se * c.perplexity, 0.2 * c.perplexity_se);
}

TEST(Statistics, SeedsDecideTheResamples) {
  const ScoreAccumulator scores = random_windows(20, 8);
  const Comparison a = scores.result(5), b = scores.result(5), c = scores.result(6);
  EXPECT_EQ(to_json(a), to_json(b));
  EXPECT_NE(a.ln_ratio_low, c.ln_ratio_low);
  EXPECT_EQ(a.ln_ratio, c.ln_ratio);
}

TEST(Latency, Summary) {
  const LatencyStats stats = latency_stats(std::vector<double>{4, 1, 2, 3});
  EXPECT_DOUBLE_EQ(stats.mean, 2.5);
  EXPECT_DOUBLE_EQ(stats.stddev, std::sqrt(5.0 / 3));
  EXPECT_DOUBLE_EQ(stats.p50, 2.5);
  EXPECT_DOUBLE_EQ(stats.p99, 3.97);
  EXPECT_DOUBLE_EQ(stats.min, 1);
  EXPECT_EQ(stats.n, 4);
  EXPECT_TRUE(std::isnan(latency_stats(std::vector<double>{1}).stddev));
  EXPECT_THROW(latency_stats({}), Error);
  EXPECT_THROW(latency_stats(std::vector<double>{1, NAN}), Error);
  EXPECT_THROW(latency_stats(std::vector<double>{-1}), Error);
}

TEST(Memory, ParsesTheStatusFile) {
  const MemoryUse use = parse_status("Name:\tVmRSS: 1 kB\nVmHWM:\t  2000 kB\nVmRSS:\t 1500 kB\n");
  EXPECT_EQ(use.peak, 2048000U);
  EXPECT_EQ(use.resident, 1536000U);
  EXPECT_THROW(parse_status("Name:\tx\nVmHWM:\t 2000 kB\n"), Error);
  EXPECT_THROW(parse_status("\nVmHWM: 2 MB\nVmRSS: 3 kB\n"), Error);
  EXPECT_THROW(parse_status("\nVmHWM: 2 kB\nVmRSS: 99999999999999999999 kB\n"), Error);
  EXPECT_THROW(parse_status("\nVmHWM: 2 kB\nVmRSS:"), Error);
}

TEST(Memory, SeesAnAllocation) {
  const MemoryUse before = memory_use();
  std::vector<char> block(size_t{64} << 20, 1);
  const MemoryUse after = memory_use();
  EXPECT_GT(after.resident, before.resident + (size_t{48} << 20)) << block[block.size() / 2];
  EXPECT_GE(after.peak, after.resident);
}

}  // namespace
}  // namespace octet
