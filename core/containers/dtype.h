// Element types of tensors in files.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// The dtypes of safetensors 0.8; sub-byte ones have bits() below 8.
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
  kU64
};

int bits(Dtype dtype);
std::string_view name(Dtype dtype);  ///< "F16", "BF16", ... as in the header
std::optional<Dtype> dtype_from_name(std::string_view name);

/// A tensor as a container lists it: C order, outermost dimension first.
struct TensorInfo {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
};

/// Product of the shape; throws Error on overflow of int64.
int64_t element_count(const TensorInfo& info);
/// Bytes of the data; throws Error on overflow or when bits do not fill whole bytes.
uint64_t byte_count(const TensorInfo& info);

// IEEE half and bfloat16, round to nearest even.
float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);
float bfloat16_to_float(uint16_t bits);
uint16_t float_to_bfloat16(float value);

}  // namespace octet
