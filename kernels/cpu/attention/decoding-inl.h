// Bodies of DecodingRows as loops that the compiler vectorizes for the target in force where this
// file is included. Internal linkage: each including file gets its own copy.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/cpu/attention/decoding_rows.h"
#include "kernels/cpu/attention/exp-inl.h"

namespace octet::cpu {
namespace {

constexpr int kLaneCount = 16;  // of sums: one order of additions

/// kDim: the heads' dimension, or 0 where it is not known to the compiler.
template <int kDim>
[[gnu::always_inline]] inline float dot(const float* a, const float* b, int64_t dim) {
  const int64_t n = kDim > 0 ? kDim : dim;
  float lane[kLaneCount] = {};
  int64_t j = 0;
  for (; j + kLaneCount <= n; j += kLaneCount) {
    for (int i = 0; i < kLaneCount; ++i) lane[i] += a[j + i] * b[j + i];
  }
  if (kDim == 0) {
    for (int i = 0; j < n; ++j, ++i) lane[i] += a[j] * b[j];
  }
  for (int half = kLaneCount / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

/// Scores of one head become weights that sum to 1.
void soften(float* scores, int64_t count) {
  float top = scores[0];
  for (int64_t t = 1; t < count; ++t) top = scores[t] > top ? scores[t] : top;
  for (int64_t t = 0; t < count; ++t) scores[t] = exp_nonpositive(scores[t] - top);
  float sum = 0;
  for (int64_t t = 0; t < count; ++t) sum += scores[t];
  const float inverse = 1.0F / sum;
  for (int64_t t = 0; t < count; ++t) scores[t] *= inverse;
}

template <int kDim>
void attend_heads(const GatheredQuery& g, float* __restrict y) {
  const int64_t dim = kDim > 0 ? kDim : g.dim, width = g.heads * dim;
  const float scale = 1.0F / __builtin_sqrtf(static_cast<float>(dim));
  for (int64_t t = 0; t < g.count; ++t) {
    const float* k = g.k + g.places[t] * g.stride;
    for (int64_t h = 0; h < g.heads; ++h) {
      g.scores[h * g.count + t] = dot<kDim>(g.q + h * dim, k + h * dim, dim) * scale;
    }
  }
  for (int64_t j = 0; j < width; ++j) y[j] = 0;
  if (g.count == 0) return;
  for (int64_t h = 0; h < g.heads; ++h) soften(g.scores + h * g.count, g.count);
  for (int64_t t = 0; t < g.count; ++t) {
    const float* v = g.v + g.places[t] * g.stride;
    for (int64_t h = 0; h < g.heads; ++h) {
      const float weight = g.scores[h * g.count + t];
      for (int64_t d = 0; d < dim; ++d) y[h * dim + d] += weight * v[h * dim + d];
    }
  }
}

void attend_row(const GatheredQuery& g, float* y) {
  if (g.dim == 32) return attend_heads<32>(g, y);
  if (g.dim == 64) return attend_heads<64>(g, y);
  attend_heads<0>(g, y);
}

float block_maxima(const float* logits, int64_t count, float* largest) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  float all = kNone;
  for (int64_t first = 0, block = 0; first < count; first += kTopBlock, ++block) {
    float lane[kLaneCount];
    for (float& top : lane) top = kNone;
    const float* x = logits + first;
    if (first + kTopBlock <= count) {
      for (int64_t j = 0; j < kTopBlock; j += kLaneCount) {
        for (int i = 0; i < kLaneCount; ++i) lane[i] = x[j + i] > lane[i] ? x[j + i] : lane[i];
      }
    } else {
      for (int64_t j = 0; j < count - first; ++j) lane[0] = x[j] > lane[0] ? x[j] : lane[0];
    }
    for (int half = kLaneCount / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lane[i] = lane[i + half] > lane[i] ? lane[i + half] : lane[i];
    }
    largest[block] = lane[0];
    all = lane[0] > all ? lane[0] : all;
  }
  return all;
}

float sum_exp(const float* logits, int64_t count, float top) {
  float lane[kLaneCount] = {};
  int64_t j = 0;
  for (; j + kLaneCount <= count; j += kLaneCount) {
    for (int i = 0; i < kLaneCount; ++i) lane[i] += exp_nonpositive(logits[j + i] - top);
  }
  for (int i = 0; j < count; ++j, ++i) lane[i] += exp_nonpositive(logits[j] - top);
  for (int half = kLaneCount / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

constexpr DecodingRows kDecodingRows = {attend_row, block_maxima, sum_exp};

}  // namespace
}  // namespace octet::cpu
