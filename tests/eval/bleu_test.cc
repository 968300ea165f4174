#include "eval/bleu.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "eval/chrf.h"

namespace octet {
namespace {

TEST(Words, WhiteSpaceIsPythons) {
  EXPECT_EQ(strip_end("a b\u00a0\u3000\x1c\n"), "a b");
  EXPECT_EQ(strip_end(" \t"), "");
  EXPECT_EQ(strip_end("a\u200b"), "a\u200b");  // no white space
  EXPECT_EQ(split_words(" a\u2009bc\u0085\x1f d "),
            (std::vector<std::string_view>{"a", "bc", "d"}));
  EXPECT_TRUE(split_words("\u00a0").empty());
}

TEST(Bleu, TokenizesAs13a) {
  EXPECT_EQ(tokenize_13a("Hello, world."), "Hello , world .");
  EXPECT_EQ(tokenize_13a("1,000.5 a.b 5-6 a-b it's"), "1,000.5 a . b 5 - 6 a-b it's");
  EXPECT_EQ(tokenize_13a("&quot;x&quot; &amp;lt; <skipped>"), "\" x \" <");
  EXPECT_EQ(tokenize_13a("Zei-\nle\nzwei"), "Zeile zwei");
  EXPECT_EQ(tokenize_13a(""), "");
}

TEST(Bleu, HandComputed) {
  // 3 of 4 words, 2 of 3 pairs, 1 of 2 triples, 0 of 1; one word short.
  const BleuStats stats = bleu_stats({"a b c x", {"a b c d e"}});
  EXPECT_EQ(stats.hyp_length, 4);
  EXPECT_EQ(stats.ref_length, 5);
  EXPECT_EQ(stats.correct, (std::array<int64_t, 4>{3, 2, 1, 0}));
  EXPECT_EQ(stats.total, (std::array<int64_t, 4>{4, 3, 2, 1}));
  const BleuScore bleu = bleu_of(stats);
  EXPECT_DOUBLE_EQ(bleu.brevity_penalty, std::exp(1 - 5.0 / 4));
  EXPECT_DOUBLE_EQ(bleu.precisions[3], 50);  // smoothed: 100 / (2 * 1)
  EXPECT_NEAR(bleu.score, 100 * std::exp(-0.25) * std::pow(0.75 * 2 / 3 * 0.5 * 0.5, 0.25), 1e-9);
  EXPECT_EQ(bleu.text(),
            "46.31 75.0/66.7/50.0/50.0 (BP = 0.779 ratio = 0.800 hyp_len = 4 ref_len = 5)");
}

TEST(Bleu, CountsAreClippedByTheBestReference) {
  const BleuStats stats = bleu_stats({"the the the", {"the cat", "the the"}});
  EXPECT_EQ(stats.correct[0], 2);
  EXPECT_EQ(stats.ref_length, 2);
  EXPECT_EQ(bleu_stats({"a b c", {"a b c d", "a b"}}).ref_length, 2);  // as close, but shorter
}

TEST(Bleu, EffectiveOrderIsForSentences) {
  EXPECT_NEAR(sentence_bleu({"a b", {"a b"}}).score, 100, 1e-9);
  const Segment segments[] = {{"a b", {"a b"}}};
  EXPECT_EQ(corpus_bleu(segments).score, 0);
  EXPECT_EQ(sentence_bleu({"", {"a"}}).score, 0);
  EXPECT_EQ(sentence_bleu({"", {""}}).score, 0);
}

TEST(Bleu, Refuses) {
  EXPECT_THROW(bleu_stats({"a", {}}), Error);
  EXPECT_THROW(corpus_bleu({}), Error);
  EXPECT_THROW(chrf_stats({"a", {}}), Error);
  EXPECT_THROW(corpus_chrf({}), Error);
}

TEST(Bleu, IllFormedTextIsScored) {
  EXPECT_NEAR(sentence_bleu({"a\xff b \xc3", {"a\xff b \xc3"}}).score, 100, 1e-9);
  EXPECT_NEAR(sentence_chrf({"a\xff \xe2\x82", {"a\xff \xe2\x82"}}), 100, 1e-9);
}

TEST(Chrf, HandComputed) {
  // ab c -> abc, abd: 2 of 3 characters, 1 of 2 pairs, 0 of 1 triples.
  const ChrfStats stats = chrf_stats({"ab c", {"abd"}});
  EXPECT_EQ(stats.orders[0], (ChrfStats::Order{3, 3, 2}));
  EXPECT_EQ(stats.orders[1], (ChrfStats::Order{2, 2, 1}));
  EXPECT_EQ(stats.orders[2], (ChrfStats::Order{1, 1, 0}));
  EXPECT_EQ(stats.orders[3], (ChrfStats::Order{0, 0, 0}));
  EXPECT_NEAR(chrf_of(stats), 100 * (2.0 / 3 + 0.5) / 3, 1e-12);
}

TEST(Chrf, CountsCodePointsAndTakesTheBestReference) {
  EXPECT_EQ(chrf_stats({"東京 😀", {"東京"}}).orders[0], (ChrfStats::Order{3, 2, 2}));
  EXPECT_NEAR(sentence_chrf({"abc", {"x", "abc", "abcd"}}), 100, 1e-12);
  EXPECT_EQ(sentence_chrf({"abc", {""}}), 0);
  EXPECT_EQ(chrf_stats({"abc", {""}}).orders[0], (ChrfStats::Order{0, 0, 0}));
}

}  // namespace
}  // namespace octet
