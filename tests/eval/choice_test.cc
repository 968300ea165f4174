#include "eval/choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace octet {
namespace {

using ::testing::ElementsAre;

// A word with the space before it is a token; the id is its length.
std::vector<int32_t> words(std::string_view text) {
  std::vector<int32_t> ids;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin + 1), text.size());
    ids.push_back(static_cast<int32_t>(end - begin));
    begin = end;
  }
  return ids;
}

ChoiceTokens tokens(const std::string& context, const std::string& choice, int64_t bos = -1,
                    int64_t length = 100) {
  return tokenize_choice({context, {choice, "x"}, 0}, 0, words, bos, length);
}

TEST(ChoiceTokens, AreThoseBehindTheContext) {
  const ChoiceTokens t = tokens("aa bbb", " c \u00e9\u00e9");
  EXPECT_THAT(t.ids, ElementsAre(2, 4, 2, 5));
  EXPECT_EQ(t.scored, 2);
  EXPECT_EQ(t.bytes, 7);
  EXPECT_THAT(tokens("aa", " b", 77).ids, ElementsAre(77, 2, 2));
}

TEST(ChoiceTokens, WhiteSpaceAtTheEndBelongsToTheChoice) {
  const ChoiceTokens t = tokens("aa bbb ", "cc");
  EXPECT_THAT(t.ids, ElementsAre(2, 4, 3));
  EXPECT_EQ(t.scored, 1);
}

TEST(ChoiceTokens, LongQuestionsLoseTheirBeginning) {
  EXPECT_THAT(tokens("a b c d", " e", -1, 3).ids, ElementsAre(2, 2, 2));
  EXPECT_THAT(tokens("a b c d", " e", 9, 3).ids, ElementsAre(9, 2, 2));
  EXPECT_THROW(tokens("a b", " c d e", -1, 3), Error);
  EXPECT_THROW(tokens("aa", "b"), Error);  // one token with the context
}

TEST(McNemar, IsTheExactBinomialTest) {
  // scipy.stats.binomtest(k, n, 0.5).pvalue
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
  EXPECT_EQ(mcnemar_exact(4, 4), 1);
  EXPECT_NEAR(mcnemar_exact(1, 0), 1, 1e-15);
  EXPECT_NEAR(mcnemar_exact(0, 5), 0.0625, 1e-15);
  EXPECT_NEAR(mcnemar_exact(9, 2), 0.0654296875, 1e-13);
  EXPECT_NEAR(mcnemar_exact(2, 9), 0.0654296875, 1e-13);
  EXPECT_NEAR(mcnemar_exact(10000, 10000), 1, 1e-9);
  EXPECT_LT(mcnemar_exact(0, 5000), 1e-300);
  EXPECT_THROW(mcnemar_exact(-1, 3), Error);
}

TEST(ChoiceResult, CountsFlips) {
  const ChoiceAnswers model{{0, 1, 2, 0, 1}, {1, 0, 0, 1, 1}};
  const ChoiceAnswers reference{{0, 0, 1, 3, 1}, {1, 1, 0, 0, 1}};
  const ChoiceResult alone = compare_choices(model, nullptr);
  EXPECT_DOUBLE_EQ(alone.accuracy, 0.6);
  EXPECT_DOUBLE_EQ(alone.accuracy_se, std::sqrt(0.6 * 0.4 / 4));
  EXPECT_FALSE(alone.has_reference);
  const ChoiceResult both = compare_choices(model, &reference);
  EXPECT_DOUBLE_EQ(both.ref_accuracy, 0.6);
  EXPECT_EQ(both.lost, 1);
  EXPECT_EQ(both.won, 1);
  EXPECT_EQ(both.changed, 3);
  EXPECT_EQ(both.flips(), 2);
  EXPECT_EQ(both.p_value, 1);
  const ChoiceAnswers fewer{{0}, {1}};
  EXPECT_TRUE(std::isnan(compare_choices(fewer, nullptr).accuracy_se));
  EXPECT_THROW(compare_choices(model, &fewer), Error);
  EXPECT_THROW(compare_choices({}, nullptr), Error);
}

}  // namespace
}  // namespace octet
