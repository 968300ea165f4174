// What a trainer needs of a task: batches in, targets for every scored position.
#pragma once
#include <cstdint>

#include "models/model.h"

namespace octet {

/// A target that is not scored.
inline constexpr int64_t kNoTarget = -100;

/// targets: int64 [B, T] of language models and translation (position t of the output is scored
/// against targets[:, t]), [B] of classifiers; kNoTarget where nothing is scored.
struct TrainBatch {
  Batch inputs;
  at::Tensor targets;
};

/// Batches by number: the same number is always the same batch, so a sampler has no state but the
/// number of the step.
class Task {
 public:
  virtual ~Task() = default;
  /// Of an endless stream that goes through the samples epoch by epoch.
  virtual TrainBatch train(uint64_t index) const = 0;
  virtual int64_t eval_batches() const = 0;
  virtual TrainBatch eval(int64_t index) const = 0;
  /// True where Model::end works on each position alone, so that it can run on some at a time.
  virtual bool positionwise() const { return true; }
};

}  // namespace octet
