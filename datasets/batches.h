// Batches of samples of different lengths: few padded positions, a bounded size, random order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace octet {

/// What bounds a batch. At least one of the two limits is set.
struct BatchOptions {
  int64_t max_tokens = 0;   ///< padded positions: samples times the longest of them; 0: no limit
  int64_t max_samples = 0;  ///< 0: no limit
  uint64_t seed = 0;        ///< of the order of samples and batches
};

/// Batches that go through the samples sorted by length (longest first, equal ones by index), each
/// sample once: for evaluation. Throws Error for a sample longer than max_tokens, for no samples,
/// and for a negative length; UsageError without a limit.
std::vector<std::vector<int64_t>> sequential_batches(const std::vector<int64_t>& lengths,
                                                     const BatchOptions& options);

/// An endless stream of batches for training, epoch by epoch. Each epoch has every sample once, and
/// the same number of batches. Samples of similar length share a batch; their choice and the order
/// of the batches are drawn anew every epoch. The same number is always the same batch, so a
/// sampler has no state but the number of the next one, and rank r of R takes the numbers r, r + R,
/// ...: different batches on each, equally many.
class BatchSampler {
 public:
  /// Throws as sequential_batches does.
  BatchSampler(std::vector<int64_t> lengths, const BatchOptions& options);
  /// The samples of batch `number`, counted over all epochs. Keeps the order of the last epoch
  /// asked for, so one thread at a time.
  std::vector<int64_t> batch(uint64_t number) const;
  uint64_t batches_per_epoch() const { return bounds_.size() - 1; }

 private:
  void draw(uint64_t epoch) const;

  std::vector<int64_t> lengths_;
  uint64_t seed_;
  std::vector<size_t> bounds_;  ///< batch b is [bounds_[b], bounds_[b + 1]) of the sorted samples
  mutable uint64_t epoch_ = ~uint64_t{0};  // whose order is held
  mutable std::vector<int64_t> samples_;
  mutable std::vector<uint64_t> batches_;
};

}  // namespace octet
