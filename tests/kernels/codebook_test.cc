// The codes themselves, and that every element with codes has them all.
#include "kernels/codebook.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace octet {
namespace {

TEST(Codebook, CodesOfTheIntegers) {
  const Codebook eight = codebook(Dtype::kI8), four = codebook(Dtype::kI4);
  EXPECT_EQ(eight.low, -127);
  EXPECT_EQ(eight.high, 127);
  EXPECT_EQ(eight.divisor, 127);
  EXPECT_EQ(four.low, -8);
  EXPECT_EQ(four.high, 7);
  EXPECT_EQ(four.divisor, 7.5F);
  static_assert(Int8Codes::kHigh == 127 && Int4Codes::kDivisor == 7.5F, "known when compiled");
}

TEST(Codebook, EveryElementHasOneOrIsRefused) {
  for (int i = 0; i <= static_cast<int>(Dtype::kI4); ++i) {
    const auto element = static_cast<Dtype>(i);
    if (has_codebook(element)) {
      const Codebook codes = codebook(element);
      EXPECT_LT(codes.low, codes.high) << name(element);
      EXPECT_GE(codes.divisor, codes.high) << name(element);
    } else {
      EXPECT_THROW(codebook(element), Error) << name(element);
    }
  }
}

}  // namespace
}  // namespace octet
