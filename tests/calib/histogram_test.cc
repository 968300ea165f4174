#include "calib/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "tests/calib/reference.h"

namespace octet {
namespace {

Histogram of(const std::vector<float>& x) {
  Histogram made;
  made.add(x.data(), static_cast<int64_t>(x.size()));
  return made;
}

void expect_equal(const Histogram& made, const reference::Bins& naive) {
  EXPECT_EQ(made.absmax(), naive.absmax);
  EXPECT_EQ(made.zeros(), naive.zeros);
  EXPECT_EQ(made.width(), naive.width);
  for (int j = 0; j < Histogram::kBins; ++j) {
    ASSERT_EQ(made.count(j), naive.counts[static_cast<size_t>(j)]) << "bin " << j;
  }
}

TEST(Histogram, EqualsTheNaiveOne) {
  for (const double spread : {1e-6, 1.0, 1e3, 1e30}) {
    const auto x = reference::values(1, 20011, spread);
    const Histogram made = of(x);
    expect_equal(made, reference::histogram(x));
    EXPECT_EQ(made.total(), 20011);
    EXPECT_GT(made.zeros(), 100);
    EXPECT_GE(made.used(), 1025);
    EXPECT_LE(made.used(), 2048);
  }
}

TEST(Histogram, GrowsToWhatItWouldHaveBeen) {
  auto x = reference::values(2, 5000, 1e-3);
  Histogram grown = of(x);
  const std::vector<float> larger = {0.75f, -3156.0f, 1e20f};
  for (const float value : larger) {
    grown.add(&value, 1);
    x.push_back(value);
    expect_equal(grown, reference::histogram(x));
  }
}

TEST(Histogram, PowersOfTwoLieInTheUpperHalf) {
  for (const int power : {-100, -1, 0, 1, 100}) {
    const Histogram made = of({-std::ldexp(1.0f, power)});
    EXPECT_EQ(made.exponent(), power + 1);
    EXPECT_EQ(made.count(1024), 1);
    EXPECT_EQ(made.used(), 1025);
  }
  const Histogram below = of({std::nextafter(2.0f, 0.0f)});
  EXPECT_EQ(below.exponent(), 1);
  EXPECT_EQ(below.count(2047), 1);
}

TEST(Histogram, HoldsTheExtremesOfFloat) {
  const float least = std::numeric_limits<float>::denorm_min();
  const Histogram small = of({least, -least, 0.0f, -0.0f});
  EXPECT_EQ(small.exponent(), Histogram::kMinExponent);
  EXPECT_EQ(small.width(), std::numeric_limits<float>::min());
  EXPECT_EQ(small.count(0), 2);
  EXPECT_EQ(small.zeros(), 2);
  EXPECT_EQ(small.used(), 1);
  Histogram both = small;
  const float most = std::numeric_limits<float>::max();
  both.add(&most, 1);
  EXPECT_EQ(both.exponent(), 128);
  EXPECT_EQ(both.count(0), 2);
  EXPECT_EQ(both.count(2047), 1);
}

TEST(Histogram, EmptyAndZeros) {
  EXPECT_EQ(of({}), Histogram());
  const Histogram zeros = of({0.0f, -0.0f});
  EXPECT_EQ(zeros.total(), 2);
  EXPECT_EQ(zeros.used(), 0);
  EXPECT_EQ(zeros.absmax(), 0);
}

// Pieces of very different magnitude, so that every merge order grows at another step.
std::vector<std::vector<float>> pieces() {
  std::vector<std::vector<float>> made;
  for (uint64_t i = 0; i < 5; ++i) {
    made.push_back(reference::values(10 + i, 300 + 77 * i, std::pow(10.0, 2.0 * i - 4)));
  }
  made.push_back({});
  return made;
}

TEST(Histogram, MergesToTheSameBitsInAnyOrder) {
  const auto parts = pieces();
  std::vector<float> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  const Histogram whole = of(all);
  std::vector<size_t> order(parts.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    Histogram left;
    for (const size_t i : order) left.merge(of(parts[i]));
    ASSERT_EQ(left, whole);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Histogram, MergeIsAssociative) {
  const auto parts = pieces();
  Histogram tail = of(parts[1]);
  tail.merge(of(parts[4]));
  Histogram right = of(parts[0]);
  right.merge(tail);
  Histogram left = of(parts[0]);
  left.merge(of(parts[1]));
  left.merge(of(parts[4]));
  EXPECT_EQ(left, right);
  Histogram twice = left;
  twice.merge(twice);
  EXPECT_EQ(twice.total(), 2 * left.total());
}

TEST(Histogram, CountsMadeElsewhere) {
  const auto x = reference::values(3, 4000, 10);
  Histogram made = of({1e-3f});
  made.grow(of(x).absmax());
  const auto naive = reference::histogram(x);
  ASSERT_EQ(made.width(), naive.width);
  made.add_counts(naive.counts, naive.zeros);
  Histogram expected = of({1e-3f});
  expected.add(x.data(), 4000);
  EXPECT_EQ(made, expected);
}

TEST(Histogram, RefusesWhatIsNotFinite) {
  Histogram made = of({1.0f, 2.0f});
  const Histogram before = made;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), INFINITY, -INFINITY}) {
    const std::vector<float> x = {1.0f, bad, 100.0f};
    EXPECT_THROW(made.add(x.data(), 3), Error);
    EXPECT_EQ(made, before);
  }
}

TEST(Histogram, FromPartsChecks) {
  const Histogram good = of(reference::values(4, 1000, 5));
  std::vector<int64_t> counts(good.counts().begin(), good.counts().end());
  EXPECT_EQ(Histogram::from_parts(good.absmax(), good.zeros(), counts), good);
  EXPECT_THROW(Histogram::from_parts(good.absmax(), -1, counts), Error);
  EXPECT_THROW(Histogram::from_parts(NAN, 0, counts), Error);
  EXPECT_THROW(Histogram::from_parts(-good.absmax(), 0, counts), Error);
  EXPECT_THROW(Histogram::from_parts(good.absmax() * 1.5f, 0, counts), Error);
  EXPECT_THROW(Histogram::from_parts(0, 0, counts), Error);
  EXPECT_THROW(Histogram::from_parts(good.absmax(), std::numeric_limits<int64_t>::max(), counts),
               Error);
  auto negative = counts;
  negative[0] = -1;
  EXPECT_THROW(Histogram::from_parts(good.absmax(), 0, negative), Error);
  counts.pop_back();
  EXPECT_THROW(Histogram::from_parts(good.absmax(), 0, counts), Error);
}

TEST(Histogram, MergeRefusesOverflowUnchanged) {
  std::vector<int64_t> counts(Histogram::kBins);
  counts[1024] = std::numeric_limits<int64_t>::max() - 5;
  Histogram made = Histogram::from_parts(1.0f, 3, counts);
  const Histogram before = made;
  EXPECT_THROW(made.merge(of({5, 6, 7})), Error);
  EXPECT_EQ(made, before);
}

}  // namespace
}  // namespace octet
