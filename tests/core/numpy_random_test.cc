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
  // Of 32 bits, three in ten are refused for this bound.
  EXPECT_EQ(draws(1, 3000000000, 12),
            (std::vector<uint32_t>{1535464873, 2851391088, 104557657, 2845948340, 935494355,
                                   2607075741, 1269979346, 770976088, 1227597408, 1931486993,
                                   1648781062, 257217833}));
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
