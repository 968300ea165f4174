// Losses over the output positions of a model, one chunk of positions at a time: the logits of all
// positions are never in memory together.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "finetune/task.h"

namespace octet {

/// Sums over the scored positions, in nats.
struct LossSums {
  double loss = 0;  ///< what is minimised
  double nll = 0;   ///< -log p(target)
  double kl = 0;    ///< KL(teacher || student); 0 without a teacher
  int64_t tokens = 0;
  /// The same as float64 [4] on a device, in this order: sums are added there, and read once.
  static LossSums read(const at::Tensor& sums);
};

/// Zeros for LossSums::read.
at::Tensor no_sums(at::Device device);

/// What is minimised: cross_entropy * (smoothed cross-entropy) + divergence * KL(teacher ||
/// student), at temperature 1.
struct LossOptions {
  double cross_entropy = 1, divergence = 0;
  double label_smoothing = 0;                ///< share of the target spread over all classes
  int64_t chunk_bytes = int64_t{128} << 20;  ///< of float32 logits at a time
};

/// "ce", "kl" or "both" (their sum); UsageError otherwise.
LossOptions parse_loss(const std::string& name);

/// logits [N, V] of any float type, targets int64 [N]; teacher: logits of the same shape, or
/// undefined. gradient, unless null: d loss / d logits, float32 [N, V]. The sums as LossSums reads
/// them, on the device of the logits, which is not waited for.
at::Tensor position_losses(const at::Tensor& logits, const at::Tensor& teacher,
                           const at::Tensor& targets, const LossOptions& options,
                           at::Tensor* gradient);

/// A model with what runs it.
struct Runner {
  const Model* model = nullptr;
  Executor* executor = nullptr;
  explicit operator bool() const { return model != nullptr; }
};

/// Ends `student` (a Hidden behind the last block) chunk by chunk. backward: also adds gradient *
/// scale to every leaf behind it. `teacher` may be null. The sums as position_losses gives them.
at::Tensor chunked_loss(const Runner& student, Hidden& hidden, const Runner& teacher,
                        Hidden* teacher_hidden, const at::Tensor& targets, bool positionwise,
                        const LossOptions& options, bool backward, double scale);

}  // namespace octet
