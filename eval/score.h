// Logits to scores: next-token loss, divergence from a reference, agreement on the likeliest token.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "eval/statistics.h"

namespace octet {

/// Scores positions: row t of `logits` [T, V] (float, half or bfloat16; any device) predicts
/// targets[t], T >= 1. `reference`: logits of the same shape from the reference model, on any
/// device and of any float type, or undefined. Log-probabilities are float32 over the whole
/// vocabulary, sums over it are double; kl is never below -1e-6. Throws Error on other shapes, on
/// an id outside [0, V), and when a score is not finite (NaN or Inf logits), naming the position.
WindowScores score_positions(const at::Tensor& logits, std::span<const int64_t> targets,
                             const at::Tensor& reference = {});

namespace detail {
/// score_positions by tensor operations on the device of `logits`; what CUDA runs.
WindowScores score_by_ops(const at::Tensor& logits, std::span<const int64_t> targets,
                          const at::Tensor& reference);
}  // namespace detail

}  // namespace octet
