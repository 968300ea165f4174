// Samples as batches that a model reads, with targets: what calibration, evaluation and training
// share.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "models/run/model.h"

namespace octet {

class SourceModel;

/// A target that is not scored.
inline constexpr int64_t kNoTarget = -100;

/// targets: int64 [B, T] of language models and translation (position t of the output is scored
/// against targets[:, t]), [B] of classifiers; kNoTarget where nothing is scored.
struct TaskBatch {
  Batch inputs;
  at::Tensor targets;
};

/// A fixed list of samples; the same index is always the same sample. On the CPU.
class Samples {
 public:
  virtual ~Samples() = default;
  virtual int64_t size() const = 0;
  /// Positions that sample i takes in a batch (the longer of source and target, one of an image):
  /// what batches are bucketed and limited by.
  virtual int64_t length(int64_t i) const = 0;
  /// Samples `indices` in this order, padded to the longest of them.
  virtual TaskBatch batch(std::span<const int64_t> indices) const = 0;
  /// True if Model::end treats each position separately, so that it can run on chunks of positions.
  virtual bool positionwise() const { return true; }
  /// Describes how the samples are cut and that the first `used` are taken; two scores are
  /// comparable only if their signatures are equal.
  virtual std::string signature(int64_t used) const {
    return "samples:" + std::to_string(used) + "/" + std::to_string(size());
  }
  /// SHA-256 of the content: identifies the data in provenance and resume keys.
  virtual const std::string& hash() const = 0;
};

}  // namespace octet
