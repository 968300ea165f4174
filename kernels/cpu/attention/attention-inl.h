// AttentionKernels over the tiles of tile-inl.h. Internal linkage: each including file gets its own
// copy.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "kernels/cpu/attention/attention_block.h"
#include "kernels/cpu/attention/exp-inl.h"
#include "kernels/cpu/gemm/tile-inl.h"

namespace octet::cpu {
namespace {

// Rows of scores do not start at the same place of a page: they would fight for cache lines.
constexpr int64_t kScoreStride = kKeyBlock + 16;

float sum_lanes(Reg v) {
  float lane[kLanes];
  store(lane, v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

float max_lanes(Reg v) {
  float top = v[0];
  for (int i = 1; i < kLanes; ++i) top = v[i] > top ? v[i] : top;
  return top;
}

/// Turns scores [0, count) into exp(scale * (score - new maximum)) and the rest up to `padded` into
/// 0; returns what earlier sums of the row are to be multiplied by.
float soften(float* scores, int64_t count, int64_t padded, float scale, float& top, float& total) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  std::fill(scores + count, scores + padded, kNone);
  Reg largest = spread(top);
  for (int64_t j = 0; j < padded; j += kLanes) {
    const Reg v = load(scores + j);
    largest = v > largest ? v : largest;
  }
  const float before = top;
  top = max_lanes(largest);
  Reg sum = {};
  for (int64_t j = 0; j < padded; j += kLanes) {
    const Reg p = exp_nonpositive((load(scores + j) - top) * scale);
    store(scores + j, p);
    sum += p;
  }
  // A hidden key counts e^-87, less than the last bit of any sum: the largest term is 1.
  std::fill(scores + count, scores + padded, 0.0f);
  const float keep = before == kNone ? 0.0f : exp_nonpositive(spread((before - top) * scale))[0];
  total = total * keep + sum_lanes(sum);
  return keep;
}

void run_block(const AttentionBlock& b, float* scratch, float* y, int64_t y_stride) {
  const int64_t dim = (b.dim + kWidth - 1) / kWidth * kWidth;
  float* sums = scratch;
  float* scores = scratch + kQueryBlock * dim;
  float top[kQueryBlock], total[kQueryBlock] = {};
  std::fill_n(top, kQueryBlock, -std::numeric_limits<float>::infinity());
  std::fill_n(sums, b.queries * dim, 0.0f);
  const int64_t seen = b.visible + (b.queries - 1) * b.step;
  for (int64_t first = 0; first < seen; first += kKeyBlock) {
    const int64_t keys = std::min(kKeyBlock, seen - first);
    const int64_t padded = (keys + kWidth - 1) / kWidth * kWidth;
    for (int64_t j = 0; j < padded; j += kWidth) {
      tiles<false>(b.queries, b.q, b.q_stride, b.keys + (first + j) * b.dim, b.dim, scores + j,
                   kScoreStride);
    }
    for (int64_t r = 0; r < b.queries; ++r) {
      const int64_t count = std::clamp<int64_t>(b.visible + r * b.step - first, 0, keys);
      float* row = scores + r * kScoreStride;
      if (count == 0) {
        std::fill_n(row, padded, 0.0f);
        continue;
      }
      const float keep = soften(row, count, padded, b.scale, top[r], total[r]);
      for (int64_t j = 0; j < dim; ++j) sums[r * dim + j] *= keep;
    }
    for (int64_t j = 0; j < dim; j += kWidth) {
      tiles<true>(b.queries, scores, kScoreStride, b.values + j * b.padded_keys + first * kWidth,
                  keys, sums + j, dim);
    }
  }
  for (int64_t r = 0; r < b.queries; ++r) {
    const float inverse = 1.0f / total[r];
    for (int64_t j = 0; j < b.dim; ++j) y[r * y_stride + j] = sums[r * dim + j] * inverse;
  }
}

void pack_keys(const float* k, int64_t stride, int64_t keys, int64_t dim, float* panel) {
  for (int64_t first = 0; first < keys; first += kWidth, panel += dim * kWidth) {
    const int64_t count = std::min(kWidth, keys - first);
    for (int64_t c = 0; c < kWidth; ++c) {
      const float* row = k + (first + c) * stride;
      for (int64_t j = 0; j < dim; ++j) panel[j * kWidth + c] = c < count ? row[j] : 0.0f;
    }
  }
}

/// Floats of scratch that run_block takes.
int64_t scratch_floats(int64_t dim) {
  return kQueryBlock * (kScoreStride + (dim + kWidth - 1) / kWidth * kWidth);
}

constexpr AttentionKernels kAttentionKernels = {kWidth, pack_keys, scratch_floats, run_block};

}  // namespace
}  // namespace octet::cpu
