// Naive versions of everything in kernels/, written from the contracts and for clarity alone.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/random.h"
#include "kernels/cpu/attention/attention.h"

namespace octet::reference {

inline float row_scale(const float* x, int64_t k) {
  float absmax = 0;
  for (int64_t j = 0; j < k; ++j) {
    if (!std::isfinite(x[j])) return std::numeric_limits<float>::quiet_NaN();
    absmax = std::max(absmax, std::abs(x[j]));
  }
  const float scale = absmax / 127.0f;
  return scale == 0 ? 1.0f : scale;
}

inline int8_t code(float x, float scale) {
  if (std::isnan(scale)) return 0;
  const float v = std::nearbyint(x / scale);
  if (std::isnan(v)) return 0;
  return static_cast<int8_t>(std::clamp(v, -127.0f, 127.0f));
}

inline void quantize_rows(const float* x, int64_t rows, int64_t k, int8_t* q, float* scale) {
  for (int64_t r = 0; r < rows; ++r) {
    scale[r] = row_scale(x + r * k, k);
    for (int64_t j = 0; j < k; ++j) q[r * k + j] = code(x[r * k + j], scale[r]);
  }
}

inline void rms_norm(const float* x, const float* weight, float eps, int64_t rows, int64_t k,
                     double* y) {
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (int64_t j = 0; j < k; ++j) sum += double{x[r * k + j]} * x[r * k + j];
    const double inverse = 1.0 / std::sqrt(sum / static_cast<double>(k) + eps);
    for (int64_t j = 0; j < k; ++j) y[r * k + j] = x[r * k + j] * inverse * weight[j];
  }
}

inline double silu_mul(double gate, double up) {
  return gate / (1.0 + std::exp(-gate)) * up;
}

/// [batch, queries, heads, dim].
inline std::vector<double> attention(const cpu::AttentionCall& call) {
  std::vector<double> y;
  const int64_t rows = call.batch * call.queries * call.heads;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t head = i % call.heads, query = i / call.heads % call.queries;
    const int64_t batch = i / call.heads / call.queries;
    const int64_t kv = head / (call.heads / call.kv_heads);
    const float* q = call.q.head(batch, head) + query * call.q.step_stride;
    const int64_t seen = call.causal ? call.keys - call.queries + query + 1 : call.keys;
    std::vector<double> score(static_cast<size_t>(seen)), row(static_cast<size_t>(call.dim));
    for (int64_t s = 0; s < seen; ++s) {
      const float* k = call.k.head(batch, kv) + s * call.k.step_stride;
      for (int64_t j = 0; j < call.dim; ++j) score[s] += double{q[j]} * k[j];
      score[s] /= std::sqrt(static_cast<double>(call.dim));
    }
    const double top = *std::max_element(score.begin(), score.end());
    double total = 0;
    for (double& value : score) total += value = std::exp(value - top);
    for (int64_t s = 0; s < seen; ++s) {
      const float* v = call.v.head(batch, kv) + s * call.v.step_stride;
      for (int64_t j = 0; j < call.dim; ++j) row[j] += score[s] / total * v[j];
    }
    y.insert(y.end(), row.begin(), row.end());
  }
  return y;
}

inline int64_t dot(const int8_t* a, const int8_t* b, int64_t k) {
  int64_t sum = 0;
  for (int64_t j = 0; j < k; ++j) sum += int64_t{a[j]} * b[j];
  return sum;
}

/// IEEE half to float by its definition.
inline float from_half(uint16_t h) {
  const int exponent = h >> 10 & 31;
  const int fraction = h & 1023;
  const float sign = h >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) {
    return fraction ? std::numeric_limits<float>::quiet_NaN()
                    : sign * std::numeric_limits<float>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

}  // namespace octet::reference
