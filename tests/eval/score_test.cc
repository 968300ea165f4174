#include "eval/score.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "core/error.h"
#include "core/random.h"
#include "kernels/cpu/statistics/divergence.h"
#include "tests/cpu_time.h"
#include "tests/kernels/levels.h"

namespace octet {
namespace {

// Normal logits of deviation `scale`; `noise` of deviation `shift` on top gives a second model.
at::Tensor make_logits(int64_t rows, int64_t vocabulary, uint64_t seed, float scale = 3) {
  const Random random(seed, "test/logits");
  at::Tensor out = at::empty({rows, vocabulary});
  auto* data = out.mutable_data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    data[i] = scale * static_cast<float>(random.normal(static_cast<uint64_t>(i)));
  }
  return out;
}

std::vector<int64_t> make_targets(int64_t rows, int64_t vocabulary) {
  std::vector<int64_t> out;
  for (int64_t t = 0; t < rows; ++t) out.push_back((t * 7919) % vocabulary);
  return out;
}

struct Naive {
  double nll, ref_nll, kl;
  bool same;
};

double log_sum(const at::Tensor& row) {
  const double* x = row.const_data_ptr<double>();
  const double top = *std::max_element(x, x + row.numel());
  double sum = 0;
  for (int64_t i = 0; i < row.numel(); ++i) sum += std::exp(x[i] - top);
  return top + std::log(sum);
}

// Everything in double, term by term.
Naive naive(const at::Tensor& logits, const at::Tensor& reference, int64_t t, int64_t target) {
  const at::Tensor x = logits[t].to(at::kDouble).contiguous();
  const at::Tensor r = reference[t].to(at::kDouble).contiguous();
  const double x_sum = log_sum(x), r_sum = log_sum(r);
  const double *a = x.const_data_ptr<double>(), *b = r.const_data_ptr<double>();
  double kl = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double log_p = b[i] - r_sum;
    kl += std::exp(log_p) * (log_p - (a[i] - x_sum));
  }
  const auto top = [n = x.numel()](const double* v) { return std::max_element(v, v + n) - v; };
  return {x_sum - a[target], r_sum - b[target], kl, top(a) == top(b)};
}

void expect_close(const WindowScores& scores, const at::Tensor& logits, const at::Tensor& reference,
                  const std::vector<int64_t>& targets) {
  ASSERT_EQ(scores.kl.size(), targets.size());
  for (size_t t = 0; t < targets.size(); ++t) {
    const Naive want = naive(logits, reference, static_cast<int64_t>(t), targets[t]);
    // Stored as float: half an ulp of values up to 32 is 1e-6.
    EXPECT_NEAR(scores.nll[t], want.nll, 3e-6) << t;
    EXPECT_NEAR(scores.ref_nll[t], want.ref_nll, 3e-6) << t;
    EXPECT_NEAR(scores.kl[t], want.kl, 1e-6 + 1e-6 * want.kl) << t;
    EXPECT_EQ(scores.same_top1[t] == 1, want.same) << t;
  }
}

class ScoreShapes : public testing::TestWithParam<std::tuple<int64_t, int64_t>> {};

TEST_P(ScoreShapes, MatchesDoubleTermByTerm) {
  const auto [rows, vocabulary] = GetParam();
  const at::Tensor reference = make_logits(rows, vocabulary, 1);
  const at::Tensor logits = reference + make_logits(rows, vocabulary, 2, 0.3F);
  const auto targets = make_targets(rows, vocabulary);
  expect_close(score_positions(logits, targets, reference), logits, reference, targets);
  expect_close(detail::score_by_ops(logits, targets, reference), logits, reference, targets);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ScoreShapes,
                         testing::Values(std::tuple{1, 1}, std::tuple{3, 2}, std::tuple{5, 17},
                                         std::tuple{2, 511}, std::tuple{2, 512}, std::tuple{2, 513},
                                         std::tuple{130, 1000}, std::tuple{3, 49152}));

TEST(Score, LogitsFarFromZeroAndFarApart) {
  const at::Tensor reference = make_logits(4, 5000, 3, 12) + 500;
  const at::Tensor logits = make_logits(4, 5000, 4, 12) - 500;
  const auto scores = score_positions(logits, make_targets(4, 5000), reference);
  for (int64_t t = 0; t < 4; ++t) {
    const Naive want = naive(logits, reference, t, make_targets(4, 5000)[static_cast<size_t>(t)]);
    EXPECT_NEAR(scores.kl[static_cast<size_t>(t)] / want.kl, 1, 1e-5);
    EXPECT_NEAR(scores.nll[static_cast<size_t>(t)] / want.nll, 1, 1e-5);
  }
}

class ScoreLevel : public cpu::LevelTest {};
INSTANTIATE_TEST_SUITE_P(Every, ScoreLevel, cpu::every_level(), cpu::level_name);

TEST_P(ScoreLevel, AgreesWithDoubles) {
  const at::Tensor reference = make_logits(1, 3001, 5);
  const at::Tensor logits = reference + make_logits(1, 3001, 6, 0.2F);
  const Naive want = naive(logits, reference, 0, 17);
  const auto row = cpu::score_row(logits.const_data_ptr<float>(), reference.const_data_ptr<float>(),
                                  3001, 17, GetParam());
  EXPECT_NEAR(row.nll, want.nll, 1e-6);
  EXPECT_NEAR(row.ref_nll, want.ref_nll, 1e-6);
  EXPECT_NEAR(row.kl, want.kl, 5e-7);
}

TEST(Score, DivergenceOfNearlyEqualModelsIsNeverBelowZeroByMore) {
  const at::Tensor reference = make_logits(64, 49152, 7, 4);
  const auto targets = make_targets(64, 49152);
  for (float noise : {0.0F, 1e-6F, 1e-4F, 1e-3F}) {
    const at::Tensor logits = reference + make_logits(64, 49152, 8, noise);
    for (float kl : score_positions(logits, targets, reference).kl) EXPECT_GE(kl, -1e-6F) << noise;
  }
  for (float kl : score_positions(reference, targets, reference).kl) EXPECT_EQ(kl, 0.0F);
}

TEST(Score, HalfAndStridedTensorsScoreAsTheirFloatCopies) {
  const at::Tensor logits = make_logits(70, 300, 9), reference = make_logits(70, 300, 10);
  const auto targets = make_targets(70, 300);
  for (auto type : {at::kHalf, at::kBFloat16, at::kDouble}) {
    const at::Tensor x = logits.to(type), r = reference.to(type);
    const auto want = score_positions(x.to(at::kFloat), targets, r.to(at::kFloat));
    const auto got = score_positions(x, targets, r);
    EXPECT_EQ(got.nll, want.nll);
    EXPECT_EQ(got.kl, want.kl);
  }
  const auto want = score_positions(logits, targets, reference);
  const auto got = score_positions(logits.t().contiguous().t(), targets,
                                   at::cat({reference, reference}, 1).narrow(1, 300, 300));
  EXPECT_EQ(got.nll, want.nll);
  EXPECT_EQ(got.kl, want.kl);
}

TEST(Score, ThreadCountChangesNothing) {
  const at::Tensor logits = make_logits(100, 700, 11), reference = make_logits(100, 700, 12);
  const auto targets = make_targets(100, 700);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = score_positions(logits, targets, reference);
  at::set_num_threads(2);
  const auto two = score_positions(logits, targets, reference);
  at::set_num_threads(threads);
  EXPECT_EQ(one.kl, two.kl);
  EXPECT_EQ(one.nll, two.nll);
}

TEST(Score, TiesGoToTheFirstMaximum) {
  at::Tensor logits = at::zeros({1, 1200}), reference = at::zeros({1, 1200});
  logits[0][1100] = reference[0][1100] = 2.0F;
  reference[0][3] = 2.0F;
  EXPECT_EQ(score_positions(logits, std::vector<int64_t>{0}, reference).same_top1[0], 0);
  logits[0][3] = 2.0F;
  EXPECT_EQ(score_positions(logits, std::vector<int64_t>{0}, reference).same_top1[0], 1);
}

TEST(Score, MaskedTokensCountNothing) {
  at::Tensor logits = make_logits(1, 600, 14), reference = make_logits(1, 600, 15);
  const auto want = score_positions(logits, std::vector<int64_t>{5}, reference);
  const at::Tensor mask = at::full({1, 8}, -std::numeric_limits<float>::infinity());
  const auto got = score_positions(at::cat({logits, mask}, 1), std::vector<int64_t>{5},
                                   at::cat({reference, mask}, 1));
  EXPECT_NEAR(got.kl[0], want.kl[0], 1e-6);
  EXPECT_NEAR(got.nll[0], want.nll[0], 1e-6);
}

TEST(Score, NonFiniteLogitsAreNamed) {
  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    at::Tensor logits = make_logits(3, 50, 16), reference = make_logits(3, 50, 17);
    logits[1][20] = bad;
    EXPECT_THROW(score_positions(logits, make_targets(3, 50), reference), Error) << bad;
    EXPECT_THROW(score_positions(logits, make_targets(3, 50)), Error) << bad;
    EXPECT_THROW(score_positions(reference, make_targets(3, 50), logits), Error) << bad;
    EXPECT_THROW(detail::score_by_ops(logits, make_targets(3, 50), reference), Error) << bad;
  }
  at::Tensor logits = make_logits(1, 50, 18), reference = make_logits(1, 50, 19);
  logits[0][reference[0].argmax().item<int64_t>()] = -std::numeric_limits<float>::infinity();
  EXPECT_THROW(score_positions(logits, std::vector<int64_t>{0}, reference), Error);
}

TEST(Score, WrongShapesAndIdsAreRefused) {
  const at::Tensor logits = make_logits(3, 50, 20);
  EXPECT_THROW(score_positions(logits, make_targets(2, 50)), Error);
  EXPECT_THROW(score_positions(logits, make_targets(3, 50), make_logits(3, 51, 1)), Error);
  EXPECT_THROW(score_positions(logits, std::vector<int64_t>{0, 50, 1}), Error);
  EXPECT_THROW(score_positions(logits, std::vector<int64_t>{0, -1, 1}), Error);
  EXPECT_THROW(score_positions(at::Tensor(), make_targets(3, 50)), Error);
}

// Rows of SmolLM2's vocabulary, by the level that scoring chooses and by plain loops.
TEST(Score, IsNotScoredByPlainLoops) {
  if (cpu::best_level() == cpu::Level::kPortable) GTEST_SKIP() << "this CPU has plain loops alone";
  const int64_t rows = 64, vocabulary = 49152;
  const at::Tensor reference = at::randn({rows, vocabulary}), logits = reference + 0.1;
  const auto targets = make_targets(rows, vocabulary);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);  // those that wait for work would count, too
  const double chosen = test::cpu_seconds([&] { score_positions(logits, targets, reference); });
  const double plain = test::cpu_seconds([&] {
    for (int64_t i = 0; i < rows; ++i) {
      cpu::score_row(logits[i].const_data_ptr<float>(), reference[i].const_data_ptr<float>(),
                     vocabulary, targets[static_cast<size_t>(i)], cpu::Level::kPortable);
    }
  });
  at::set_num_threads(threads);
  std::printf("score [64, 49152] against a reference: %.4f CPU s, by plain loops %.4f\n", chosen,
              plain);
  EXPECT_LT(chosen, 0.75 * plain);
}

}  // namespace
}  // namespace octet
