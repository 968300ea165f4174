// Scores one position of a language model: negative log-likelihood and divergence from a reference.
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

struct RowScore {
  double nll = 0;          ///< -log p(target), nats
  double ref_nll = 0;      ///< the same of the reference; 0 without one
  double kl = 0;           ///< KL(reference || model), nats; 0 without a reference
  bool same_top1 = false;  ///< both rows have their first maximum at the same token
};

/// Scores one row of `n` > 0 logits against token `target` in [0, n). `reference` is a row of n
/// logits or null. Log-probabilities are float32 over the whole row, summed in float over 32
/// tokens and in double beyond; the error of kl is below 1e-6 for logits that differ by less
/// than 20. A NaN or +Inf anywhere makes a result NaN. A token whose reference logit is -Inf does
/// not count; one whose logit is -Inf only in the model makes kl huge (1e20 times the reference's
/// probability) but not infinite.
RowScore score_row(const float* logits, const float* reference, int64_t n, int64_t target);

/// As above with the loops of a given level, which must not be above best_level().
RowScore score_row(const float* logits, const float* reference, int64_t n, int64_t target,
                   Level level);

}  // namespace octet::cpu
