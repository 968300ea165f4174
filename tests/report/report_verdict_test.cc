// What is recommended, what is called noise, and when a recovery is printed.
#include "report/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/report/report_sample.h"

namespace octet::test {
namespace {
using testing::HasSubstr;
using testing::StartsWith;

const VariantVerdict& of(const Verdict& verdict, const std::string& name) {
  for (const VariantVerdict& v : verdict.variants) {
    if (v.variant == name) return v;
  }
  throw std::out_of_range(name);
}

VariantResult& variant(Report& report, const std::string& name) {
  for (VariantResult& v : report.variants) {
    if (v.name == name) return v;
  }
  throw std::out_of_range(name);
}

TEST(Verdict, SmallestSizeTimesLatencyOfWhatHolds) {
  const Verdict v = verdict(translation_report());
  // w8a8-static and its tuned twin cost the same within timing noise; the twin loses less.
  EXPECT_EQ(v.recommended, "w8a8-static + QAT");
  EXPECT_EQ(v.headline, "Take w8a8-static + QAT");
  EXPECT_EQ(v.detail,
            "1.59x smaller and 2.32x faster than float32; BLEU -0.05 "
            "[-0.25, +0.15], p = 0.62: the difference is noise.");
  EXPECT_TRUE(of(v, "w8a8-static + QAT").recommended);
  EXPECT_EQ(of(v, "w8a8-static").why, "Costs as much as w8a8-static + QAT, which loses less.");
  EXPECT_EQ(of(v, "w8a16").why, "2.03x slower than w8a8-static + QAT.");
  EXPECT_EQ(of(v, "float32").why, "1.59x larger and 2.32x slower than w8a8-static + QAT.");
  EXPECT_FALSE(of(v, "w4a16-g64").acceptable);
  EXPECT_THAT(of(v, "w4a16-g64").why,
              StartsWith("Loses too much: BLEU -0.65 [-1.15, -0.15], p = 0.011, KL 0.007 nats"));
  EXPECT_THAT(v.rule, HasSubstr("stays above -0.5 BLEU"));
}

TEST(Verdict, NoiseHoldsOnlyWhileTheDivergenceIsSmall) {
  Report report = translation_report();
  VariantResult& v = variant(report, "w4a16-g64 + QAT");
  v.scores[0] = score("BLEU", 39.6, -0.3, 0.9, 0.4, 200);  // -1.2 .. +0.6: noise on few sentences
  EXPECT_EQ(quality_change(report, v)->significance, Significance::kNoise);
  EXPECT_TRUE(of(verdict(report), v.name).acceptable);
  v.quality->kl_mean = 0.06;
  EXPECT_FALSE(of(verdict(report), v.name).acceptable);
  EXPECT_THAT(of(verdict(report), v.name).why, StartsWith("Not shown to be safe: BLEU -0.30"));
}

TEST(Verdict, RealLossInsideTheLimitIsTakenAndNamed) {
  Report report = translation_report();
  for (VariantResult& v : report.variants) {
    if (v.name != report.reference) v.scores[0] = score("BLEU", 39.6, -0.2, 0.1, 0.001, 50);
  }
  const Verdict v = verdict(report);
  EXPECT_EQ(v.recommended, "w8a8-static + QAT");
  EXPECT_THAT(v.detail, HasSubstr("BLEU -0.20 [-0.30, -0.10], p = 0.001: real loss."));
}

TEST(Verdict, WithoutAnIntervalTheChangeItselfCounts) {
  Report report = translation_report();
  VariantResult& v = variant(report, "w8a8-static + QAT");
  TaskScore& s = v.scores[0];
  s.delta_low = s.delta_high = s.p_value = NAN;
  EXPECT_EQ(quality_change(report, v)->significance, Significance::kUnknown);
  EXPECT_EQ(verdict(report).recommended, v.name);
  s.delta = -0.6;
  EXPECT_FALSE(of(verdict(report), v.name).acceptable);
}

TEST(Verdict, FloatStaysWhereNothingHolds) {
  Report report = translation_report();
  for (VariantResult& v : report.variants) {
    if (v.name != report.reference) v.scores[0] = score("BLEU", 39.6, -2, 0.5, 0.001, 500);
  }
  const Verdict v = verdict(report);
  EXPECT_EQ(v.recommended, "float32");
  EXPECT_EQ(v.headline, "Keep float32");
  EXPECT_EQ(v.detail, "No quantized variant holds its quality.");
  EXPECT_THAT(of(v, "w8a8-static").why, HasSubstr("the loss is real and exceeds the limit"));
}

TEST(Verdict, FloatStaysWhereNothingIsCheaper) {
  Report report = translation_report();
  for (VariantResult& v : report.variants) {
    if (v.name != report.reference) v.speed = task_speed(10, 400);
  }
  const Verdict v = verdict(report);
  EXPECT_EQ(v.headline, "Keep float32");
  EXPECT_EQ(v.detail, "What holds its quality costs more size x latency.");
}

TEST(Verdict, LanguageModelsNeedBothLimits) {
  Report report = language_report();
  variant(report, "w8a16").decode = phase_speed(71);
  Verdict v = verdict(report);
  EXPECT_EQ(v.recommended, "w8a16");  // within timing noise of w8a8-dynamic, and loses less
  EXPECT_TRUE(of(v, "w8a8-dynamic").acceptable);
  EXPECT_FALSE(of(v, "w8a8-static").acceptable);
  EXPECT_FALSE(of(v, "w8a8-static + QAT").acceptable);
  variant(report, "w8a8-dynamic").decode = phase_speed(90);
  EXPECT_EQ(verdict(report).recommended, "w8a8-dynamic");
  variant(report, "w8a8-dynamic").quality = compared(0.027, 0.02, 24);  // +2 % perplexity
  EXPECT_FALSE(of(verdict(report), "w8a8-dynamic").acceptable);
  variant(report, "w8a8-dynamic").quality = compared(0.06, 0.001, 24);
  EXPECT_FALSE(of(verdict(report), "w8a8-dynamic").acceptable);
}

TEST(Verdict, WhatWasNotMeasuredIsSaid) {
  Report report = language_report();
  variant(report, "w8a8-dynamic").quality.reset();
  EXPECT_EQ(of(verdict(report), "w8a8-dynamic").why, "Its quality was not measured.");
  for (VariantResult& v : report.variants) v.decode.reset();
  const Verdict by_size = verdict(report);
  EXPECT_EQ(by_size.recommended, "w8a16");
  EXPECT_THAT(by_size.rule, HasSubstr("the smallest size wins"));
  report.variants.clear();
  report.baselines.clear(), report.reference.clear();
  EXPECT_EQ(verdict(report).recommended, "");
}

TEST(Recovery, PercentOnlyWhereTheLossWasReal) {
  Report report = translation_report();
  const std::vector<Recovery> all = recoveries(report);
  ASSERT_EQ(all.size(), 4U);  // BLEU and KL of two tuned variants
  EXPECT_FALSE(all[0].percent.has_value());
  EXPECT_EQ(all[0].line, "BLEU: nothing to recover, the loss of w8a8-static (-0.27) is noise");
  ASSERT_TRUE(all[1].percent.has_value());
  EXPECT_NEAR(*all[1].percent, 60, 1e-9);  // 0.0004 -> 0.00016 nats
  EXPECT_EQ(all[1].line, "KL: 60 % of the loss of w8a8-static recovered (0.0004 to 0.00016 nats)");
  ASSERT_TRUE(all[2].percent.has_value());
  EXPECT_NEAR(*all[2].percent, 100 * (0.65 - 0.12) / 0.65, 1e-9);
  const std::string text = report_text(report);
  EXPECT_THAT(text, HasSubstr("w8a8-static + QAT: BLEU: nothing to recover"));
  for (const std::string& form : {text, report_markdown(report), report_html(report)}) {
    EXPECT_THAT(form, testing::Not(HasSubstr("81 %")));  // (0.27 - 0.05) / 0.27, but it was noise
  }
}

TEST(Recovery, DivergenceInsideItsErrorIsNoise) {
  Report report = translation_report();
  variant(report, "w8a8-static").quality->kl_mean_se = 0.0003;  // 0.0004 < 1.96 * 0.0003
  EXPECT_FALSE(recoveries(report)[1].percent.has_value());
  variant(report, "w8a8-static").quality->kl_mean_se = NAN;
  EXPECT_FALSE(recoveries(report)[1].percent.has_value());
}

TEST(Recovery, MadeWorseIsSaid) {
  Report report = translation_report();
  variant(report, "w4a16-g64 + QAT").quality->kl_mean = 0.014;
  EXPECT_THAT(recoveries(report)[3].line, HasSubstr("KL: 100 % more loss than w4a16-g64"));
}

TEST(Significance, IntervalAndProbabilityMustAgree) {
  const Report report = translation_report();
  VariantResult v = report.variants[1];
  v.scores[0] = score("BLEU", 39.6, -0.3, 0.2, 0.06, 10);
  EXPECT_EQ(quality_change(report, v)->significance, Significance::kNoise);
  v.scores[0].p_value = 0.04;
  EXPECT_EQ(quality_change(report, v)->significance, Significance::kLoss);
  v.scores[0] = score("BLEU", 39.6, 0.3, 0.2, 0.01, 10);
  EXPECT_EQ(quality_change(report, v)->significance, Significance::kGain);
  EXPECT_FALSE(quality_change(report, report.variants[0]).has_value());
}

TEST(Losses, ScoresCountOnlyBeyondNoise) {
  Report report = translation_report();
  std::vector<std::string> worse;
  for (const Loss& loss : losses(report)) {
    if (loss.kind == "Worse") worse.push_back(loss.line);
  }
  EXPECT_THAT(worse, testing::ElementsAre(
                         "Worse: w4a16-g64 has 0.65 BLEU less than float32 (38.95 against 39.60; "
                         "95 % interval -1.15 to -0.15)"));
  variant(report, "w8a16").speed = task_speed(50, 36);
  EXPECT_THAT(losses(report)[0].line,
              StartsWith("Slower: w8a16 does 0.81x the sentences a second of float32"));
}

}  // namespace
}  // namespace octet::test
