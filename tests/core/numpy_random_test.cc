#include "core/numpy_random.h"

#include <gtest/gtest.h>

#include <vector>

namespace octet {
namespace {

std::vector<uint32_t> draws(uint64_t seed, uint32_t bound, size_t count) {
  NumpyRandom random(seed);
  std::vector<uint32_t> out;
  while (out.size() < count) out.push_back(random.below(bound));
  return out;
}

// numpy 2.4.6: default_rng(seed).choice(bound, size=count)
TEST(NumpyRandom, DrawsWhatNumpyDraws) {
  EXPECT_EQ(draws(12345, 1000, 12),
            (std::vector<uint32_t>{699, 227, 788, 316, 204, 797, 642, 676, 988, 391, 839, 332}));
  EXPECT_EQ(draws((uint64_t{1} << 40) + 7, 7, 12),
            (std::vector<uint32_t>{1, 5, 4, 1, 0, 1, 3, 4, 6, 5, 0, 3}));
  // Three of ten draws are rejected here.
  EXPECT_EQ(draws(0, 3000000000, 6), (std::vector<uint32_t>{2551872677, 1910885061, 1533409439,
                                                            809360140, 923488268, 122920571}));
}

TEST(NumpyRandom, RawBits) {
  NumpyRandom random(12345);
  EXPECT_EQ(random.next(), 0x3A32B18DB2FFC19D);
  EXPECT_EQ(random.next(), 0x51171315C9E4C4DE);
}

TEST(NumpyRandom, ABoundOfOneDrawsNothing) {
  NumpyRandom random(12345);
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_EQ(random.below(1000), 699U);
}

}  // namespace
}  // namespace octet
