// The format in which a linear reads its input.
#pragma once
#include <optional>

#include "core/dtype.h"

namespace octet {

/// The values that share one scale.
enum class Granularity { kToken, kTensor };

/// Floats in the compute dtype, or codes of `element` (kernels/codebook.h) with one scale per
/// token, computed during quantization, or with one given scale per tensor.
struct Format {
  std::optional<Dtype> element;
  Granularity granularity = Granularity::kToken;
  bool quantized() const { return element.has_value(); }
  bool per_token() const { return quantized() && granularity == Granularity::kToken; }
  bool per_tensor() const { return quantized() && granularity == Granularity::kTensor; }
  bool operator==(const Format&) const = default;

  static const Format kFloat, kInt8Token, kInt8Tensor;
};

inline constexpr Format Format::kFloat{};
inline constexpr Format Format::kInt8Token{Dtype::kI8, Granularity::kToken};
inline constexpr Format Format::kInt8Tensor{Dtype::kI8, Granularity::kTensor};

}  // namespace octet
