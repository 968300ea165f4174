#include "datasets/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/random.h"

namespace octet {
namespace {

void check(const std::vector<int64_t>& lengths, const BatchOptions& options) {
  if (options.max_tokens < 0 || options.max_samples < 0 ||
      options.max_tokens + options.max_samples == 0) {
    throw UsageError(fmt::format("batches of at most {} tokens and {} samples", options.max_tokens,
                                 options.max_samples),
                     "a positive limit of one of them", "set the size of a batch");
  }
  if (lengths.empty()) throw Error("no samples", "at least one", "give more data");
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0) {
      throw Error(fmt::format("sample {} of length {}", i, lengths[i]), "a length from 0 up",
                  "correct the data");
    }
    if (options.max_tokens > 0 && lengths[i] > options.max_tokens) {
      throw Error(fmt::format("sample {} of {} tokens", i, lengths[i]),
                  fmt::format("at most {}, the tokens of a batch", options.max_tokens),
                  "allow more tokens in a batch or cut the samples shorter");
    }
  }
}

// Moves longer samples to the front and keeps the order of equal ones.
void sort_by_length(const std::vector<int64_t>& lengths, std::vector<int64_t>& samples) {
  std::stable_sort(samples.begin(), samples.end(), [&](int64_t a, int64_t b) {
    return lengths[static_cast<size_t>(a)] > lengths[static_cast<size_t>(b)];
  });
}

// Where batches begin among lengths sorted from the longest, and the end. Only the lengths count,
// so the bounds are those of every epoch.
std::vector<size_t> bounds_of(std::vector<int64_t> lengths, const BatchOptions& options) {
  std::sort(lengths.rbegin(), lengths.rend());
  const int64_t most = options.max_samples > 0 ? options.max_samples : std::ssize(lengths);
  std::vector<size_t> bounds = {0};
  while (bounds.back() < lengths.size()) {
    const int64_t longest = std::max<int64_t>(1, lengths[bounds.back()]);
    const int64_t fit = options.max_tokens > 0 ? options.max_tokens / longest : most;
    bounds.push_back(std::min(lengths.size(), bounds.back() + static_cast<size_t>(std::max<int64_t>(
                                                                  1, std::min(fit, most)))));
  }
  return bounds;
}

}  // namespace

std::vector<std::vector<int64_t>> sequential_batches(const std::vector<int64_t>& lengths,
                                                     const BatchOptions& options) {
  check(lengths, options);
  std::vector<int64_t> samples(lengths.size());
  std::iota(samples.begin(), samples.end(), 0);
  sort_by_length(lengths, samples);
  const std::vector<size_t> bounds = bounds_of(lengths, options);
  std::vector<std::vector<int64_t>> batches;
  for (size_t b = 0; b + 1 < bounds.size(); ++b) {
    batches.emplace_back(samples.begin() + static_cast<int64_t>(bounds[b]),
                         samples.begin() + static_cast<int64_t>(bounds[b + 1]));
  }
  return batches;
}

BatchSampler::BatchSampler(std::vector<int64_t> lengths, const BatchOptions& options)
    : lengths_(std::move(lengths)), seed_(options.seed) {
  check(lengths_, options);
  bounds_ = bounds_of(lengths_, options);
}

void BatchSampler::draw(uint64_t epoch) const {
  const auto order = Random(seed_, fmt::format("datasets/samples of epoch {}", epoch))
                         .permutation(lengths_.size());
  samples_.assign(order.begin(), order.end());
  sort_by_length(lengths_, samples_);
  batches_ = Random(seed_, fmt::format("datasets/batches of epoch {}", epoch))
                 .permutation(batches_per_epoch());
  epoch_ = epoch;
}

std::vector<int64_t> BatchSampler::batch(uint64_t number) const {
  const uint64_t epoch = number / batches_per_epoch();
  if (epoch != epoch_) draw(epoch);
  const uint64_t b = batches_[number % batches_per_epoch()];
  return {samples_.begin() + static_cast<int64_t>(bounds_[b]),
          samples_.begin() + static_cast<int64_t>(bounds_[b + 1])};
}

}  // namespace octet
