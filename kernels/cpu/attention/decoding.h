// Steps of a decoder on the CPU, float32: attention of few queries over keys that stay where they
// were written, and the best continuations of each row.
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

/// Query i of row r sees the keys at places[r * places_stride + 0 .. counts[r] - 1], and with
/// `causal` i more of them. A place p is k + p * stride and v + p * stride, the heads side by side.
struct GatheredAttention {
  const float* q;  ///< [rows, queries]: heads * dim elements, q_stride apart
  int64_t q_stride;
  const float* k;
  const float* v;
  int64_t stride;
  const int32_t* places;
  int64_t places_stride;
  const int32_t* counts;  ///< [rows]; 0 gives a row of zeros
  bool causal;
  int64_t rows, queries, heads, dim;
};

/// y[rows, queries, heads * dim] = softmax(q k^T / sqrt(dim)) v. A row's bits do not depend on the
/// other rows.
void gathered_attention(const GatheredAttention& call, float* y);
/// As above with the loops of a given level, which must not be above best_level().
void gathered_attention(const GatheredAttention& call, float* y, Level level);

struct TopCall {
  float* logits;  ///< [rows, vocab]; -infinity is written where `forbidden` says so
  int64_t rows, vocab;
  const int64_t* forbidden;  ///< ids that are never chosen
  int64_t forbidden_count;
  bool renormalize;  ///< probabilities sum to 1 without the forbidden ids
  int64_t top;       ///< how many of each row, at most vocab
};

/// The `top` largest log-probabilities (log-softmax) of each row, largest first, equal ones by id:
/// scores and ids [rows, top]. Where logits are NaN, the score is -infinity and the id 0.
void top_log_probabilities(const TopCall& call, float* scores, int64_t* ids);
void top_log_probabilities(const TopCall& call, float* scores, int64_t* ids, Level level);

}  // namespace octet::cpu
