#include "eval/task_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace octet {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TaskScore bleu(double delta_low, double delta_high, double p) {
  TaskScore score;
  score.metric = "BLEU";
  score.signature = "nrefs:1|case:mixed";
  score.value = 38.25, score.low = 37, score.high = 39.5, score.reference = 39;
  score.delta = -0.75, score.delta_low = delta_low, score.delta_high = delta_high;
  score.p_value = p;
  score.better = 4, score.worse = 6, score.changed = 12, score.total = 1000;
  return score;
}

TaskScores everything() {
  TaskScores scores;
  scores.task = "translation", scores.scheme = "w8a8-static", scores.signature = "sentences:1000";
  scores.scores = {bleu(-1, -0.5, 0.001), bleu(kNaN, kNaN, kNaN)};
  scores.scores[1].metric = "chrF2";
  scores.scores[1].reference = kNaN;
  Comparison comparison;
  comparison.windows = 3, comparison.positions = 20, comparison.has_reference = true;
  double value = 0.1;
  for (double* field :
       {&comparison.perplexity, &comparison.perplexity_se, &comparison.ref_perplexity,
        &comparison.delta_perplexity, &comparison.delta_perplexity_se, &comparison.perplexity_ratio,
        &comparison.ln_ratio, &comparison.ln_ratio_se, &comparison.ln_ratio_low,
        &comparison.ln_ratio_high, &comparison.kl_mean, &comparison.kl_mean_se,
        &comparison.kl_median, &comparison.kl_p99, &comparison.kl_p999, &comparison.kl_max,
        &comparison.same_top1}) {
    *field = value += 1.0 / 3;
  }
  comparison.same_top1_se = kNaN;
  scores.comparison = comparison;
  scores.examples = {{7, "Ein Hund.", "A dog.", "A dog.", "A \"cat\" \u00e9.", 12.5, 100}};
  return scores;
}

TEST(TaskScores, SignificanceNeedsBothTests) {
  EXPECT_TRUE(bleu(-1, -0.5, 0.049).lost());
  EXPECT_FALSE(bleu(-1, -0.5, 0.05).significant());
  EXPECT_FALSE(bleu(-1, 0.1, 0.001).significant());
  TaskScore gain = bleu(0.1, 1, 0.001);
  gain.delta = 0.5;
  EXPECT_TRUE(gain.significant());
  EXPECT_FALSE(gain.lost());
  TaskScore alone = bleu(-1, -0.5, 0.001);
  alone.reference = kNaN;
  EXPECT_FALSE(alone.significant());
}

TEST(TaskScores, LikelihoodIsLostAboveTheInterval) {
  Comparison comparison;
  comparison.has_reference = true;
  comparison.ln_ratio_low = 1e-9;
  EXPECT_TRUE(lost(comparison));
  comparison.ln_ratio_low = 0;
  EXPECT_FALSE(lost(comparison));
  comparison.ln_ratio_low = kNaN;
  EXPECT_FALSE(lost(comparison));
}

TEST(TaskScores, Recovery) {
  EXPECT_DOUBLE_EQ(*recovery(0.4, 0.1), 0.75);
  EXPECT_DOUBLE_EQ(*recovery(0.4, 0.6), -0.5);
  EXPECT_FALSE(recovery(0, 0.1));
  EXPECT_FALSE(recovery(kNaN, 0.1));
  EXPECT_FALSE(recovery(0.4, kNaN));
}

TEST(TaskScores, ComeBackFromJson) {
  const TaskScores scores = everything();
  const nlohmann::json json = to_json(scores);
  EXPECT_TRUE(json["scores"][1]["delta"].is_number());
  EXPECT_TRUE(json["scores"][1]["delta_low"].is_null());
  EXPECT_TRUE(json["scores"][0]["significant"].get<bool>());
  const TaskScores back = task_scores_from(nlohmann::json::parse(json.dump()), "x.json");
  EXPECT_EQ(to_json(back), json);
  ASSERT_NE(back.find("chrF2"), nullptr);
  EXPECT_TRUE(std::isnan(back.find("chrF2")->p_value));
  EXPECT_EQ(back.scores[0].better, 4);
  EXPECT_EQ(back.scores[0].worse, 6);
  EXPECT_EQ(back.scores[0].changed, 12);
  EXPECT_EQ(back.find("accuracy"), nullptr);
  EXPECT_EQ(back.comparison->kl_p999, scores.comparison->kl_p999);
  EXPECT_TRUE(std::isnan(back.comparison->same_top1_se));
  EXPECT_EQ(back.examples[0].output, scores.examples[0].output);
}

TEST(TaskScores, WithoutAComparison) {
  TaskScores scores = everything();
  scores.comparison.reset();
  EXPECT_FALSE(task_scores_from(to_json(scores), "x.json").comparison);
}

TEST(TaskScores, OtherJsonIsRefused) {
  for (const char* text : {"{}", "[]", R"({"task":1})", "null"}) {
    EXPECT_THROW(task_scores_from(nlohmann::json::parse(text), "x.json"), Error) << text;
  }
  nlohmann::json json = to_json(everything());
  json["scores"][0]["value"] = "high";
  EXPECT_THROW(task_scores_from(json, "x.json"), Error);
}

}  // namespace
}  // namespace octet
