// Naive versions of everything in kernels/, written from the contracts and for clarity alone.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/random.h"

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
