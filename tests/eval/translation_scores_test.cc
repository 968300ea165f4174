#include "eval/translation_scores.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace octet {
namespace {

const std::vector<SentencePair> kPairs = {
    {"Ein Hund läuft über die Straße.", "A dog runs across the street."},
    {"Zwei Männer sitzen.", "Two men are sitting."},
    {"Eine Frau liest ein Buch im Park.", "A woman reads a book in the park."},
    {"Das Wetter ist heute schön.", "The weather is nice today."}};
const std::vector<std::string> kReference = {"A dog runs over the street.", "Two men are sitting.",
                                             "A woman reads a book in the park.",
                                             "The weather is beautiful today."};
const std::vector<std::string> kOutputs = {"A dog runs across the street.", "Two men sit.",
                                           "A woman reads a book in the park.",
                                           "Nothing here is right at all."};

TEST(TranslationScores, AloneHaveNoReference) {
  const TranslationScores scores = score_translations(kPairs, kReference, {});
  ASSERT_EQ(scores.scores.size(), 2U);
  EXPECT_EQ(scores.scores[0].metric, "BLEU");
  EXPECT_EQ(scores.scores[1].metric, "chrF2");
  EXPECT_EQ(scores.scores[0].signature,
            "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
  EXPECT_EQ(scores.scores[1].total, 4);
  EXPECT_FALSE(scores.scores[0].has_reference());
  EXPECT_TRUE(std::isnan(scores.scores[0].delta_low));
  EXPECT_LE(scores.scores[0].low, scores.scores[0].value);
  EXPECT_GE(scores.scores[0].high, scores.scores[0].value);
  EXPECT_TRUE(scores.examples.empty());
}

TEST(TranslationScores, CountsFlipsAndKeepsTheMostChanged) {
  const TranslationScores scores = score_translations(kPairs, kOutputs, kReference);
  const TaskScore& bleu = scores.scores[0];
  EXPECT_EQ(bleu.changed, 3);
  EXPECT_EQ(bleu.better, 1);
  EXPECT_EQ(bleu.worse, 2);
  EXPECT_EQ(scores.scores[1].better, 1);
  EXPECT_EQ(scores.scores[1].worse, 2);
  EXPECT_DOUBLE_EQ(bleu.delta, bleu.value - bleu.reference);
  EXPECT_EQ(bleu.reference, score_translations(kPairs, kReference, {}).scores[0].value);
  ASSERT_EQ(scores.examples.size(), 3U);
  const OutputExample& first = scores.examples[0];  // the least alike
  EXPECT_EQ(first.index, 3);
  EXPECT_EQ(first.source, kPairs[3].source);
  EXPECT_EQ(first.target, kPairs[3].target);
  EXPECT_EQ(first.reference, kReference[3]);
  EXPECT_EQ(first.output, kOutputs[3]);
  EXPECT_EQ(first.score, sentence_bleu({kOutputs[3], {kPairs[3].target}}).score);
  EXPECT_EQ(scores.examples[2].index, 0);
  EXPECT_NEAR(scores.examples[2].score, 100, 1e-9);
  EXPECT_EQ(score_translations(kPairs, kOutputs, kReference, {}, 2).examples.size(), 2U);
}

TEST(TranslationScores, TheReferenceBesideItself) {
  const TranslationScores scores = score_translations(kPairs, kReference, kReference);
  EXPECT_EQ(scores.scores[0].changed, 0);
  EXPECT_EQ(scores.scores[0].p_value, 1);
  EXPECT_FALSE(scores.scores[0].significant());
  EXPECT_TRUE(scores.examples.empty());
}

TEST(TranslationScores, Refuses) {
  EXPECT_THROW(score_translations({}, {}, {}), Error);
  EXPECT_THROW(score_translations(kPairs, std::vector<std::string>{"a"}, {}), Error);
  EXPECT_THROW(score_translations(kPairs, kOutputs, std::vector<std::string>{"a"}), Error);
}

}  // namespace
}  // namespace octet
