// Bodies of RowKernels as loops that the compiler vectorizes for the target in force where this
// file is included. Internal linkage: each including file gets its own copy.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/cpu/attention/exp-inl.h"
#include "kernels/cpu/rows/rows.h"

namespace octet::cpu {
namespace {

constexpr uint32_t kMagnitude = 0x7fffffffu;
constexpr uint32_t kInfinity = 0x7f800000u;
// Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits, for |v| < 2^22.
constexpr float kRounder = 12582912.0f;

// Magnitudes of floats order like their bits, NaN and Inf on top: an integer maximum sees all of
// them.
uint32_t magnitude(float v) {
  return __builtin_bit_cast(uint32_t, v) & kMagnitude;
}

float row_scale(const float* x, int64_t k) {
  int32_t top = 0;
  for (int64_t j = 0; j < k; ++j) {
    const int32_t bits = static_cast<int32_t>(magnitude(x[j]));
    top = bits > top ? bits : top;
  }
  if (static_cast<uint32_t>(top) >= kInfinity) return std::numeric_limits<float>::quiet_NaN();
  const float absmax = __builtin_bit_cast(float, top);
  float scale = absmax / Int8Codes::kDivisor;
  if (scale == 0.0f) return 1.0f;
  // A subnormal scale has few bits: the next one up that keeps the row in range.
  while (absmax / scale > Int8Codes::kHigh + 0.5f) scale = std::nextafter(scale, 1.0f);
  return scale;
}

void row_quantize(const float* x, int64_t k, float scale, int8_t* q) {
  if (scale != scale) {
    std::memset(q, 0, static_cast<size_t>(k));
    return;
  }
  for (int64_t j = 0; j < k; ++j) {
    float v = x[j] / scale;
    v = v == v ? v : 0.0f;
    v = v < Int8Codes::kLow ? Int8Codes::kLow : v;
    v = v > Int8Codes::kHigh ? Int8Codes::kHigh : v;
    q[j] = static_cast<int8_t>(__builtin_bit_cast(int32_t, v + kRounder));
  }
}

// Squares of floats are exact in double, so only the order of additions matters: eight fixed lanes.
double sum_of_squares(const float* x, int64_t k) {
  typedef float Float4 __attribute__((vector_size(16)));
  typedef double Double4 __attribute__((vector_size(32)));
  Double4 low = {}, high = {};
  int64_t j = 0;
  for (; j + 8 <= k; j += 8) {
    Float4 v[2];
    __builtin_memcpy(v, x + j, sizeof v);
    const Double4 a = __builtin_convertvector(v[0], Double4);
    const Double4 b = __builtin_convertvector(v[1], Double4);
    low += a * a;
    high += b * b;
  }
  for (int lane = 0; j < k; ++j, ++lane) {
    (lane < 4 ? low : high)[lane % 4] += static_cast<double>(x[j]) * x[j];
  }
  const Double4 four = low + high;
  return (four[0] + four[2]) + (four[1] + four[3]);
}

void row_rms_norm(const float* x, const float* weight, float eps, int64_t k, float* y) {
  const double mean = sum_of_squares(x, k) / static_cast<double>(k);
  const float inverse = static_cast<float>(1.0 / __builtin_sqrt(mean + static_cast<double>(eps)));
  for (int64_t j = 0; j < k; ++j) y[j] = x[j] * inverse * weight[j];
}

// Sums in sixteen fixed lanes, so that the order of additions is the same on every level.
constexpr int kSumLanes = 16;

float sum_of_lanes(float* lane) {
  for (int half = kSumLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

/// Sum of term(x[j]).
template <class Term>
[[gnu::always_inline]] inline float lane_sum(const float* x, int64_t k, const Term& term) {
  float lane[kSumLanes] = {};
  int64_t j = 0;
  for (; j + kSumLanes <= k; j += kSumLanes) {
    for (int i = 0; i < kSumLanes; ++i) lane[i] += term(x[j + i]);
  }
  for (int i = 0; j < k; ++j, ++i) lane[i] += term(x[j]);
  return sum_of_lanes(lane);
}

void row_layer_norm(const float* x, const float* delta, const float* weight, const float* bias,
                    float eps, int64_t k, float* y) {
  if (delta != nullptr) {
    for (int64_t j = 0; j < k; ++j) y[j] = x[j] + delta[j];
    x = y;
  }
  const float count = static_cast<float>(k);
  const float mean = lane_sum(x, k, [](float v) { return v; }) / count;
  const float variance =
      lane_sum(x, k, [mean](float v) { return (v - mean) * (v - mean); }) / count;
  const float inverse = 1.0f / __builtin_sqrtf(variance + eps);
  for (int64_t j = 0; j < k; ++j) y[j] = (x[j] - mean) * inverse * weight[j] + bias[j];
}

void row_relu(const float* x, int64_t k, float* y) {
  for (int64_t j = 0; j < k; ++j) y[j] = x[j] < 0.0f ? 0.0f : x[j];
}

// Beyond 87 the sigmoid is 1 to the last bit on one side and under 2e-38 on the other.
void row_silu_mul(const float* gate, const float* up, int64_t k, float* y) {
  for (int64_t j = 0; j < k; ++j) {
    float v = -gate[j];
    v = v < 87.0f ? v : 87.0f;
    v = v > -87.0f ? v : -87.0f;
    y[j] = gate[j] / (1.0f + exp_bounded(v)) * up[j];
  }
}

void row_silu(const float* x, int64_t k, float* y) {
  for (int64_t j = 0; j < k; ++j) {
    float v = -x[j];
    v = v < 87.0f ? v : 87.0f;
    v = v > -87.0f ? v : -87.0f;
    y[j] = x[j] / (1.0f + exp_bounded(v));
  }
}

void row_absmax(const float* x, int64_t k, float* absmax) {
  for (int64_t j = 0; j < k; ++j) {
    const int32_t bits = static_cast<int32_t>(magnitude(x[j]));
    const int32_t held = static_cast<int32_t>(magnitude(absmax[j]));
    absmax[j] = __builtin_bit_cast(float, bits > held ? bits : held);
  }
}

void row_bins(const float* x, int64_t k, float width, int32_t last, int32_t* index) {
  for (int64_t j = 0; j < k; ++j) {
    const float v = __builtin_bit_cast(float, magnitude(x[j]));
    const float quotient = v / width;
    const int32_t bin = static_cast<int32_t>(quotient < 1073741824.0f ? quotient : 1073741824.0f);
    const int32_t held = bin < last ? bin : last;
    index[j] = v == 0.0f ? -1 : held;
  }
}

constexpr RowKernels kRowKernels = {row_scale,    row_quantize,   row_rms_norm,
                                    row_silu_mul, row_layer_norm, row_silu,
                                    row_relu,     row_absmax,     row_bins};

}  // namespace
}  // namespace octet::cpu
