// The codes of symmetric quantization, real = scale * code: the one place that says which there are
// (docs/architecture.md, "Numbers"). Light and C++17, for the kernels of the CPU and of the GPU;
// constants that fold at compile time are members of Codes<>, which device code may read.
#pragma once
#include "core/dtype.h"

namespace octet {

/// kLow, kHigh: the smallest and the largest code that is written. kDivisor: scale = range /
/// kDivisor. Every element type that weights or inputs are quantized to has a specialization.
template <Dtype kElement>
struct Codes;

/// -128 is unused, so that the range is symmetric.
template <>
struct Codes<Dtype::kI8> {
  static constexpr float kLow = -127, kHigh = 127, kDivisor = 127;
};

/// The range ends half a step beyond the largest code: 7.5 rounds to 7 with at most the error of
/// any other value.
template <>
struct Codes<Dtype::kI4> {
  static constexpr float kLow = -8, kHigh = 7, kDivisor = 7.5F;
};

using Int8Codes = Codes<Dtype::kI8>;
using Int4Codes = Codes<Dtype::kI4>;

/// The same, chosen at run time.
struct Codebook {
  float low, high, divisor;
};

template <Dtype kElement>
constexpr Codebook codebook_of() {
  return {Codes<kElement>::kLow, Codes<kElement>::kHigh, Codes<kElement>::kDivisor};
}

constexpr bool has_codebook(Dtype element) {
  return element == Dtype::kI8 || element == Dtype::kI4;
}

/// Error for an element type without codes.
constexpr Codebook codebook(Dtype element) {
  if (!has_codebook(element)) refuse_dtype(element, "codes", "I8 or I4");
  return element == Dtype::kI4 ? codebook_of<Dtype::kI4>() : codebook_of<Dtype::kI8>();
}

}  // namespace octet
