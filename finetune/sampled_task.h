// Training on samples of any kind: which of them make up a batch.
#pragma once
#include <memory>
#include <vector>

#include "datasets/batches.h"
#include "finetune/augment.h"
#include "finetune/task.h"

namespace octet {

/// Samples of one length are taken in the order of an endless stream that is shuffled every epoch,
/// so n batches of b samples are one of n * b; samples of several lengths by a BatchSampler.
class SampledTask : public Task {
 public:
  /// eval_samples: how many of `eval`, from the first, are scored; 0 for all. Error when a batch
  /// holds more samples than there are. augmentation: of the pixels that are trained on.
  SampledTask(std::unique_ptr<Samples> train, std::unique_ptr<Samples> eval,
              const BatchOptions& limits, int64_t eval_samples,
              const Augmentation& augmentation = {});
  TaskBatch train(uint64_t index) const override;
  int64_t eval_batches() const override { return static_cast<int64_t>(eval_batches_.size()); }
  TaskBatch eval(int64_t index) const override;
  bool positionwise() const override { return train_->positionwise(); }
  /// Batches of an epoch, the last of which may go into the next.
  uint64_t train_batches() const;

 private:
  std::vector<int64_t> members(uint64_t index) const;

  std::unique_ptr<Samples> train_, eval_;
  std::vector<std::vector<int64_t>> eval_batches_;
  std::unique_ptr<BatchSampler> sampler_;  ///< of ragged samples
  int64_t batch_ = 0;                      ///< samples in a batch of the stream
  uint64_t seed_;
  Augmentation augmentation_;
  mutable uint64_t epoch_ = ~uint64_t{0};  // whose order is held
  mutable std::vector<uint64_t> order_;
};

}  // namespace octet
