// Element types: of tensors in files, of what kernels read and write, of the codes that a scheme
// stores. Light and C++17, for .cu and SIMD files.
#pragma once
#include <cstdint>
#include <string_view>

namespace octet {

/// The dtypes of safetensors 0.8 in its order (ascending alignment), then those that no container
/// knows: kI4 is two's complement codes of 4 bits, which are stored packed into I32.
enum class Dtype {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kF8E4M3FNUZ,
  kF8E5M2FNUZ,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
  kI4
};

/// Error about a number that is no Dtype.
[[noreturn]] void unknown_dtype(Dtype dtype);
/// Error about a defect: `where` was given an element type that it has no instance for.
[[noreturn]] void refuse_dtype(Dtype dtype, const char* where, const char* expected);

constexpr int bits(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF4:
    case Dtype::kI4:
      return 4;
    case Dtype::kF6E2M3:
    case Dtype::kF6E3M2:
      return 6;
    case Dtype::kBool:
    case Dtype::kU8:
    case Dtype::kI8:
    case Dtype::kF8E5M2:
    case Dtype::kF8E4M3:
    case Dtype::kF8E8M0:
    case Dtype::kF8E4M3FNUZ:
    case Dtype::kF8E5M2FNUZ:
      return 8;
    case Dtype::kI16:
    case Dtype::kU16:
    case Dtype::kF16:
    case Dtype::kBF16:
      return 16;
    case Dtype::kI32:
    case Dtype::kU32:
    case Dtype::kF32:
      return 32;
    case Dtype::kC64:
    case Dtype::kF64:
    case Dtype::kI64:
    case Dtype::kU64:
      return 64;
    default:
      unknown_dtype(dtype);
  }
}

/// Bytes of an element that fills whole bytes; 0 for smaller ones.
constexpr int byte_size(Dtype dtype) {
  return bits(dtype) % 8 == 0 ? bits(dtype) / 8 : 0;
}

/// F32, F16 and BF16: the types of weights, scales and activations that kernels compute with.
constexpr bool is_compute_dtype(Dtype dtype) {
  return dtype == Dtype::kF32 || dtype == Dtype::kF16 || dtype == Dtype::kBF16;
}

std::string_view name(Dtype dtype);  ///< "F16", "BF16", ... as in safetensors' header; "I4"

// IEEE half and bfloat16, round to nearest even.
float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);
float bfloat16_to_float(uint16_t bits);
uint16_t float_to_bfloat16(float value);

}  // namespace octet
