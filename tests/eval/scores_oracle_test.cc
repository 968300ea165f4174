// BLEU, chrF2 and the paired bootstrap against sacreBLEU, to all printed digits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "eval/bleu.h"
#include "eval/bootstrap.h"
#include "eval/chrf.h"
#include "tests/tools/support.h"

namespace octet::test {
namespace {

using nlohmann::json;

Segment segment_of(const json& hypothesis, const json& references) {
  return {hypothesis.get<std::string>(), references.get<std::vector<std::string>>()};
}

std::vector<Segment> segments_of(const json& corpus) {
  std::vector<Segment> segments;
  for (size_t i = 0; i < corpus["hypotheses"].size(); ++i)
    segments.push_back(segment_of(corpus["hypotheses"][i], corpus["references"][i]));
  return segments;
}

void expect_bleu(const BleuScore& ours, const json& theirs, const std::string& what) {
  EXPECT_EQ(ours.text(), theirs["text"].get<std::string>()) << what;
  EXPECT_NEAR(ours.score, theirs["score"].get<double>(), 1e-10) << what;
  EXPECT_NEAR(ours.brevity_penalty, theirs["bp"].get<double>(), 1e-14) << what;
  EXPECT_EQ(json(ours.stats.correct), theirs["counts"]) << what;
  EXPECT_EQ(json(ours.stats.total), theirs["totals"]) << what;
  EXPECT_EQ(json({ours.stats.hyp_length, ours.stats.ref_length}), theirs["lengths"]) << what;
  for (size_t n = 0; n < 4; ++n)
    EXPECT_NEAR(ours.precisions[n], theirs["precisions"][n].get<double>(), 1e-12) << what;
}

const json& sentences() {
  static const json made = python("eval/scores_oracle.py", "sentences");
  return made;
}

const json& corpora() {
  static const json made = python("eval/scores_oracle.py", "corpora");
  return made;
}

TEST(BleuOracle, Sentences) {
  ASSERT_EQ(sentences()["segments"].size(), 3000U);
  for (const json& entry : sentences()["segments"]) {
    const Segment segment = segment_of(entry["hypothesis"], entry["references"]);
    expect_bleu(sentence_bleu(segment), entry["bleu"], entry.dump());
    EXPECT_EQ(tokenize_13a(strip_end(segment.hypothesis)), entry["tokens"].get<std::string>())
        << entry.dump();
    if (HasFailure()) break;
  }
}

TEST(BleuOracle, Corpora) {
  for (const json& corpus : corpora()["corpora"]) {
    const auto segments = segments_of(corpus);
    expect_bleu(corpus_bleu(segments), corpus["bleu"], "corpus");
    EXPECT_EQ(bleu_signature(std::ssize(segments.front().references)),
              corpus["bleu_signature"].get<std::string>());
  }
}

TEST(ChrfOracle, Sentences) {
  for (const json& entry : sentences()["segments"]) {
    const double ours = sentence_chrf(segment_of(entry["hypothesis"], entry["references"]));
    ASSERT_NEAR(ours, entry["chrf"].get<double>(), 1e-10) << entry.dump();
  }
}

TEST(ChrfOracle, Corpora) {
  for (const json& corpus : corpora()["corpora"]) {
    const auto segments = segments_of(corpus);
    EXPECT_NEAR(corpus_chrf(segments), corpus["chrf"].get<double>(), 1e-10);
    EXPECT_EQ(chrf_signature(std::ssize(segments.front().references)),
              corpus["chrf_signature"].get<std::string>());
  }
}

// What sacreBLEU's table shows of a system: score, mean, half width, and behind the first p.
std::string row(double score, double mean, double half_width, double p) {
  return fmt::format("{:.4f} {:.4f} {:.4f} {:.4f}", score, mean, half_width, p);
}

std::string row(const json& system) {
  const auto number = [&](const char* name) {
    return system[name].is_null() ? 1.0 : system[name].get<double>();
  };
  return row(number("score"), number("mean"), number("ci"), number("p_value"));
}

// What sacreBLEU prints behind +-, in the type that it computes resamples of the metric in.
template <class Score>
double half_width(const ResampledScore& system) {
  return (static_cast<Score>(system.high) - static_cast<Score>(system.low)) / 2;
}

template <class Score>
std::string row(const ResampledScore& system, double p = 1) {
  return row(system.score, system.mean, half_width<Score>(system), p);
}

template <class Score>
void expect_rows(const PairedScores& ours, json theirs, bool equal) {
  EXPECT_EQ(row<Score>(ours.baseline), row(theirs["baseline"]));
  // A system beside itself: p is sacreBLEU's least, and 1 here.
  if (equal) theirs["system"]["p_value"] = 1;
  EXPECT_EQ(row<Score>(ours.system, ours.p_value), row(theirs["system"]));
  // In the same arithmetic: numpy computes chrF2 of resamples in float32.
  EXPECT_NEAR(half_width<Score>(ours.system), theirs["system"]["ci"].get<double>(), 1e-9);
}

TEST(BootstrapOracle, PairedWithSacreBleu) {
  const json tests = python("eval/scores_oracle.py", "paired")["tests"];
  ASSERT_EQ(tests.size(), 5U);
  for (const json& test : tests) {
    std::array<std::vector<BleuStats>, 2> bleu;
    std::array<std::vector<ChrfStats>, 2> chrf;
    for (const size_t k : {0, 1}) {
      const json& outputs = test[k == 0 ? "system" : "baseline"];
      for (size_t i = 0; i < outputs.size(); ++i) {
        const Segment segment = segment_of(outputs[i], json::array({test["references"][i]}));
        bleu[k].push_back(bleu_stats(segment));
        chrf[k].push_back(chrf_stats(segment));
      }
    }
    const bool equal = test["system"] == test["baseline"];
    expect_rows<double>(compare_bleu(bleu[0], bleu[1]), test["results"]["BLEU"], equal);
    expect_rows<float>(compare_chrf(chrf[0], chrf[1]), test["results"]["chrF2"], equal);
    EXPECT_EQ(bleu_signature(1, false, 1000), test["results"]["BLEU"]["signature"]);
    EXPECT_EQ(chrf_signature(1, 1000), test["results"]["chrF2"]["signature"]);
  }
}

}  // namespace
}  // namespace octet::test
