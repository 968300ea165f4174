#include "datasets/batches.h"

#include <algorithm>
#include <set>

#include "core/random.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

std::vector<int64_t> sentence_lengths(int64_t count) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < count; ++i)
    lengths.push_back(4 + static_cast<int64_t>(Random(1, "lengths").below(i, 37)));
  return lengths;
}

int64_t padded(const std::vector<int64_t>& lengths, const std::vector<int64_t>& batch) {
  int64_t longest = 0;
  for (const int64_t i : batch) longest = std::max(longest, lengths[static_cast<size_t>(i)]);
  return longest * std::ssize(batch);
}

TEST(SequentialBatches, LongestFirstAndEachOnce) {
  const std::vector<int64_t> lengths = {2, 5, 1, 5, 3};
  EXPECT_THAT(sequential_batches(lengths, {.max_tokens = 10}),
              ElementsAre(ElementsAre(1, 3), ElementsAre(4, 0, 2)));
  EXPECT_THAT(sequential_batches(lengths, {.max_samples = 2}),
              ElementsAre(ElementsAre(1, 3), ElementsAre(4, 0), ElementsAre(2)));
  EXPECT_THAT(sequential_batches(lengths, {.max_tokens = 6, .max_samples = 2}),
              ElementsAre(ElementsAre(1), ElementsAre(3), ElementsAre(4, 0), ElementsAre(2)));
  EXPECT_THAT(sequential_batches({0, 0}, {.max_tokens = 1}),
              ElementsAre(ElementsAre(0), ElementsAre(1)));
}

TEST(SequentialBatches, BadLimitsAndLengthsAreRefused) {
  EXPECT_THROW(sequential_batches({1}, {}), UsageError);
  EXPECT_THROW(sequential_batches({1}, {.max_tokens = -1, .max_samples = 2}), UsageError);
  EXPECT_THAT(error_of([] { sequential_batches({}, {.max_samples = 1}); }),
              HasSubstr("no samples"));
  EXPECT_THAT(error_of([] {
                sequential_batches({3, 9}, {.max_tokens = 8});
              }),
              HasSubstr("sample 1 of 9 tokens; expected at most 8"));
  EXPECT_THAT(error_of([] { BatchSampler({3, -1}, {.max_tokens = 8}); }), HasSubstr("length -1"));
}

TEST(BatchSampler, AnEpochHasEverySampleOnceWithinTheBudget) {
  const auto lengths = sentence_lengths(3000);
  const BatchSampler sampler(lengths, {.max_tokens = 800, .max_samples = 60, .seed = 5});
  const uint64_t count = sampler.batches_per_epoch();
  int64_t positions = 0;
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::multiset<int64_t> seen;
    for (uint64_t b = 0; b < count; ++b) {
      const auto batch = sampler.batch(epoch * count + b);
      EXPECT_LE(padded(lengths, batch), 800);
      EXPECT_LE(batch.size(), 60U);
      EXPECT_GE(batch.size(), 1U);
      positions += padded(lengths, batch);
      seen.insert(batch.begin(), batch.end());
    }
    EXPECT_EQ(seen.size(), 3000U);
    EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 3000U);
  }
  // Bucketing: hardly any padding.
  int64_t tokens = 0;
  for (const int64_t length : lengths) tokens += length;
  EXPECT_LT(static_cast<double>(positions), 1.03 * 3.0 * static_cast<double>(tokens));
}

TEST(BatchSampler, ANumberIsAlwaysTheSameBatch) {
  const auto lengths = sentence_lengths(500);
  const BatchOptions options{.max_tokens = 300, .max_samples = 0, .seed = 9};
  const BatchSampler first(lengths, options), second(lengths, options);
  const uint64_t count = first.batches_per_epoch();
  std::vector<std::vector<int64_t>> forwards;
  for (uint64_t i = 0; i < 2 * count; ++i) forwards.push_back(first.batch(i));
  for (uint64_t i = 2 * count; i-- > 0;) EXPECT_EQ(second.batch(i), forwards[i]);
  EXPECT_NO_THROW(first.batch(~uint64_t{0}));
}

TEST(BatchSampler, EpochsAndSeedsDiffer) {
  const auto lengths = sentence_lengths(500);
  const auto epoch = [&](uint64_t seed, uint64_t number) {
    const BatchSampler sampler(lengths, {.max_tokens = 300, .seed = seed});
    std::vector<std::vector<int64_t>> batches;
    for (uint64_t b = 0; b < sampler.batches_per_epoch(); ++b)
      batches.push_back(sampler.batch(number * sampler.batches_per_epoch() + b));
    return batches;
  };
  EXPECT_NE(epoch(1, 0), epoch(2, 0));
  EXPECT_NE(epoch(1, 0), epoch(1, 1));
  // Not merely another order of the same batches.
  auto first = epoch(1, 0), second = epoch(1, 1);
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  EXPECT_NE(first, second);
}

TEST(BatchSampler, BatchesComeInRandomOrder) {
  const BatchSampler sampler(sentence_lengths(2000), {.max_tokens = 400, .seed = 3});
  const auto lengths = sentence_lengths(2000);
  int falls = 0;
  const auto count = static_cast<int>(sampler.batches_per_epoch());
  int64_t last = 0;
  for (int b = 0; b < count; ++b) {
    const int64_t length = lengths[static_cast<size_t>(sampler.batch(static_cast<uint64_t>(b))[0])];
    falls += length < last;
    last = length;
  }
  EXPECT_NEAR(falls, 0.5 * count, 0.2 * count);
}

TEST(BatchSampler, RanksTakeDifferentBatches) {
  const auto lengths = sentence_lengths(400);
  const BatchOptions options{.max_tokens = 200, .max_samples = 0, .seed = 4};
  const BatchSampler whole(lengths, options);
  for (uint64_t rank = 0; rank < 3; ++rank) {
    const BatchSampler one(lengths, options);
    for (uint64_t step = 0; step < 50; ++step) {
      EXPECT_EQ(one.batch(step * 3 + rank), whole.batch(step * 3 + rank));
      if (rank == 0) continue;
      EXPECT_NE(one.batch(step * 3 + rank), whole.batch(step * 3));
    }
  }
}

TEST(BatchSampler, SamplesOfOneLengthAreShuffledWhole) {
  const BatchSampler sampler(std::vector<int64_t>(100, 1), {.max_samples = 8, .seed = 2});
  EXPECT_EQ(sampler.batches_per_epoch(), 13U);
  std::vector<int64_t> order;
  for (uint64_t b = 0; b < 13; ++b) {
    const auto batch = sampler.batch(b);
    order.insert(order.end(), batch.begin(), batch.end());
  }
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace octet
