// BLEU, chrF2 and the paired bootstrap against sacreBLEU, to all printed digits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "eval/bleu.h"
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

}  // namespace
}  // namespace octet::test
