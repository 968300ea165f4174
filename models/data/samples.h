// DATA as batches that a model reads, with targets: what calibration, evaluation and training
// share.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "datasets/data_spec.h"
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

/// What a model is for, by its architecture.
enum class TaskKind {
  kLanguage,     ///< next token
  kTranslation,  ///< sentence to sentence
  kVision        ///< image to class
};
TaskKind task_kind(const ModelConfig& config);

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
  /// True where Model::end works on each position alone, so that it can run on some at a time.
  virtual bool positionwise() const { return true; }
  /// How the samples are cut and that the first `used` are taken: two scores compare only if it is
  /// the same.
  virtual std::string signature(int64_t used) const;
  /// SHA-256 of the content: identifies the data in provenance and resume keys.
  virtual const std::string& hash() const = 0;
};

/// DATA (all its parts joined) as `model` reads it. Text is cut into windows of `length` tokens,
/// sentences are cut off at `length` tokens (0: the model's own limit). `split` is taken of data
/// kinds that have splits and do not name one. UsageError for a kind that does not fit the model.
std::unique_ptr<Samples> open_samples(const SourceModel& model, const std::string& data,
                                      Split split, int64_t length);

/// Windows of text: ids [B, length], each position's target is the next id.
std::unique_ptr<Samples> open_window_samples(const SourceModel& model, const std::string& data,
                                             int64_t length);

}  // namespace octet
