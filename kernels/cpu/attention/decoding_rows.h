// One row's work of decoding.h, compiled once per CPU level.
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

inline constexpr int64_t kTopBlock = 64;  ///< logits that share an entry of `largest`

/// One query. scores: room for heads * count floats.
struct GatheredQuery {
  const float *q, *k, *v;
  int64_t stride;
  const int32_t* places;
  int64_t count, heads, dim;
  float* scores;
};

struct DecodingRows {
  void (*attend)(const GatheredQuery& query, float* y);
  /// Largest of each block of kTopBlock logits; returns the largest of all.
  float (*block_maxima)(const float* logits, int64_t count, float* largest);
  /// Sum of exp(logits - top).
  float (*sum_exp)(const float* logits, int64_t count, float top);
};

const DecodingRows& decoding_rows(Level level);
const DecodingRows& decoding_rows_portable();
const DecodingRows& decoding_rows_avx2();
const DecodingRows& decoding_rows_avx512();

}  // namespace octet::cpu
