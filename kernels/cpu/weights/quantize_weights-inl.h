// Bodies of WeightKernels as loops that the compiler vectorizes for the target in force where this
// file is included. Internal linkage: each including file gets its own copy. The including file
// switches off the contraction of products and sums, which would differ between targets.
#pragma once
#include <cstdint>
#include <limits>

#include "kernels/cpu/weights/quantize_weights_rows.h"

namespace octet::cpu {
namespace {

constexpr uint32_t kMagnitude = 0x7fffffffu;
constexpr uint32_t kInfinity = 0x7f800000u;
// Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits, for |v| < 2^22.
constexpr float kRounder = 12582912.0f;
constexpr float kInf = std::numeric_limits<float>::infinity();

float from_bits(uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}
uint32_t to_bits(float v) {
  return __builtin_bit_cast(uint32_t, v);
}

// Shifted to float32's places, a half is 2^-112 times its value, subnormal halves included.
void widen_half(const uint16_t* w, int64_t k, float* out) {
  for (int64_t j = 0; j < k; ++j) {
    const uint32_t sign = (w[j] & 0x8000u) << 16, magnitude = w[j] & 0x7fffu;
    uint32_t bits = to_bits(from_bits(magnitude << 13) * 0x1p112f);
    bits |= magnitude >= 0x7c00u ? kInfinity : 0u;
    out[j] = from_bits(bits | sign);
  }
}

void widen_row(const void* w, Dtype type, int64_t k, float* out) {
  if (type == Dtype::kF16) {
    widen_half(static_cast<const uint16_t*>(w), k, out);
  } else if (type == Dtype::kBF16) {
    const auto* bits = static_cast<const uint16_t*>(w);
    for (int64_t j = 0; j < k; ++j) out[j] = from_bits(static_cast<uint32_t>(bits[j]) << 16);
  } else {
    __builtin_memcpy(out, w, static_cast<uint64_t>(k) * sizeof(float));
  }
}

// Magnitudes of floats order like their bits, NaN and Inf on top.
uint32_t top_magnitude(const float* x, int64_t k) {
  int32_t top = 0;
  for (int64_t j = 0; j < k; ++j) {
    const int32_t bits = static_cast<int32_t>(to_bits(x[j]) & kMagnitude);
    top = bits > top ? bits : top;
  }
  return static_cast<uint32_t>(top);
}

float smallest_normal(Dtype type) {
  return type == Dtype::kF16 ? 0x1p-14f : 0x1p-126f;
}

// v >= 0 rounded half to even. Below 2^-14 halves are multiples of 2^-24, the ulp of 0.75.
float round_to(float v, Dtype type) {
  if (type == Dtype::kF32) return v;
  const uint32_t bits = to_bits(v);
  if (type == Dtype::kBF16) {
    return from_bits((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);
  }
  if (v < 0x1p-14f) return (v + 0.75f) - 0.75f;
  const float rounded = from_bits((bits + 0xfffu + (bits >> 13 & 1u)) & 0xffffe000u);
  return rounded > 65504.0f ? kInf : rounded;
}

// The next value of `type` above a subnormal one.
float next_up(float subnormal, Dtype type) {
  if (type == Dtype::kF16) return subnormal + 0x1p-24f;
  return from_bits(to_bits(subnormal) + (type == Dtype::kBF16 ? 0x10000u : 1u));
}

struct ScaledCodes : Codebook {
  Dtype scale_type;
};

ScaledCodes codes_of(const WeightCoding& coding) {
  return {codebook(coding.element), coding.scale_type};
}

float scale_of(float range, const ScaledCodes& book) {
  const float scale = round_to(range / book.divisor, book.scale_type);
  if (scale == 0.0f) return 1.0f;
  if (scale < smallest_normal(book.scale_type) && range / scale > book.divisor + 0.5f) {
    return next_up(scale, book.scale_type);
  }
  return scale;
}

// In fortieths of absmax.
constexpr int kCandidates = 16;
constexpr float kFortieths[kCandidates] = {40, 43, 42, 41, 39, 38, 37, 36,
                                           35, 34, 33, 32, 31, 30, 29, 28};

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
typedef float Register __attribute__((vector_size(kWidth * sizeof(float))));

// errors[c] = sum over j of ((x[j] - scales[c] * code) / scales[0])^4. Squares would clip the large
// weights, which matter most, too freely: on SmolLM2 they win nothing over absmax in divergence. A
// lane is a candidate, so the order of additions is that of the weights on every target.
void fourth_powers(const float* x, int64_t k, const float* scales, const ScaledCodes& book,
                   float* errors) {
  const Register low = book.low - Register{}, high = book.high - Register{};
  for (int first = 0; first < kCandidates; first += 2 * kWidth) {
    constexpr int kParts = kCandidates < 2 * kWidth ? 1 : 2;
    Register scale[kParts], inverse[kParts], sum[kParts] = {};
    __builtin_memcpy(scale, scales + first, sizeof scale);
    for (int p = 0; p < kParts; ++p) inverse[p] = 1.0f / scale[p];
    for (int64_t j = 0; j < k; ++j) {
      for (int p = 0; p < kParts; ++p) {
        const Register v = x[j] * inverse[p];
        Register code = (v + kRounder) - kRounder;
        code = code > low ? code : low;
        code = code < high ? code : high;
        const Register squared = (v - code) * (v - code);
        sum[p] += squared * squared;
      }
    }
    for (int p = 0; p < kParts; ++p) {
      const Register unit = scale[p] / scales[0], squared = unit * unit;
      sum[p] *= squared * squared;
    }
    __builtin_memcpy(errors + first, sum, sizeof sum);
  }
}

// `scale` is absmax's. Where it is subnormal, neighbouring scales are too coarse to search.
float search_scale(const float* x, int64_t k, float absmax, float scale, const ScaledCodes& book) {
  if (absmax / book.divisor < smallest_normal(book.scale_type)) return scale;
  float candidates[kCandidates], errors[kCandidates];
  for (int c = 0; c < kCandidates; ++c) {
    candidates[c] = round_to(absmax * (kFortieths[c] / 40.0f) / book.divisor, book.scale_type);
  }
  fourth_powers(x, k, candidates, book, errors);
  int best = 0;
  for (int c = 1; c < kCandidates; ++c) best = errors[c] < errors[best] ? c : best;
  return candidates[best];
}

void take_codes(const float* x, int64_t k, float scale, const ScaledCodes& book, int8_t* codes) {
  for (int64_t j = 0; j < k; ++j) {
    float v = x[j] / scale;
    v = v > book.low ? v : book.low;
    v = v < book.high ? v : book.high;
    codes[j] = static_cast<int8_t>(to_bits(v + kRounder));
  }
}

bool quantize_row(const float* x, int64_t k, const WeightCoding& coding, int8_t* codes,
                  float* scales) {
  const ScaledCodes book = codes_of(coding);
  const int64_t group = coding.group > 0 ? coding.group : k;
  for (int64_t first = 0; first < k; first += group) {
    const uint32_t top = top_magnitude(x + first, group);
    if (top >= kInfinity) return false;
    const float absmax = from_bits(top);
    float scale = scale_of(absmax, book);
    if (scale == kInf) return false;
    if (coding.clip_search) scale = search_scale(x + first, group, absmax, scale, book);
    take_codes(x + first, group, scale, book, codes + first);
    *scales++ = scale;
  }
  return true;
}

void round_trip_row(const float* x, int64_t k, const WeightCoding& coding, const float* scales,
                    float* values, uint8_t* inside) {
  const ScaledCodes book = codes_of(coding);
  const int64_t group = coding.group > 0 ? coding.group : k;
  for (int64_t first = 0; first < k; first += group) {
    const float scale = *scales++;
    for (int64_t j = first; j < first + group; ++j) {
      float v = x[j] / scale;
      v = v > book.low - 1 ? v : book.low - 1;
      v = v < book.high + 1 ? v : book.high + 1;
      v = (v + kRounder) - kRounder;
      float code = v > book.low ? v : book.low;
      code = code < book.high ? code : book.high;
      values[j] = scale * code;
      inside[j] = code == v ? 1 : 0;
    }
  }
}

constexpr WeightKernels kWeightKernels = {widen_row, quantize_row, round_trip_row};

}  // namespace
}  // namespace octet::cpu
