// What a trainer needs of a task: batches in, targets for every scored position.
#pragma once
#include <cstdint>

#include "models/data/samples.h"

namespace octet {

/// Batches by number: the same number is always the same batch, so a sampler has no state but the
/// number of the step.
class Task {
 public:
  virtual ~Task() = default;
  /// Of an endless stream that goes through the samples epoch by epoch.
  virtual TaskBatch train(uint64_t index) const = 0;
  virtual int64_t eval_batches() const = 0;
  virtual TaskBatch eval(int64_t index) const = 0;
  /// True where Model::end works on each position alone, so that it can run on some at a time.
  virtual bool positionwise() const { return true; }
};

}  // namespace octet
