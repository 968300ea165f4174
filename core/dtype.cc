#include "core/dtype.h"

#include <fmt/format.h>

#include <bit>

#include "core/error.h"

namespace octet {

static_assert(std::endian::native == std::endian::little, "files are read as little-endian");

void unknown_dtype(Dtype dtype) {
  throw Error(fmt::format("dtype number {}", static_cast<int>(dtype)), "one of safetensors' dtypes",
              "check the file");
}

void refuse_dtype(Dtype dtype, const char* where, const char* expected) {
  throw Error(fmt::format("{} with elements of type {}", where, name(dtype)), expected,
              "this is a defect in octet: please report it");
}

std::string_view name(Dtype dtype) {
  switch (dtype) {
    case Dtype::kBool:
      return "BOOL";
    case Dtype::kF4:
      return "F4";
    case Dtype::kF6E2M3:
      return "F6_E2M3";
    case Dtype::kF6E3M2:
      return "F6_E3M2";
    case Dtype::kU8:
      return "U8";
    case Dtype::kI8:
      return "I8";
    case Dtype::kF8E5M2:
      return "F8_E5M2";
    case Dtype::kF8E4M3:
      return "F8_E4M3";
    case Dtype::kF8E8M0:
      return "F8_E8M0";
    case Dtype::kF8E4M3FNUZ:
      return "F8_E4M3FNUZ";
    case Dtype::kF8E5M2FNUZ:
      return "F8_E5M2FNUZ";
    case Dtype::kI16:
      return "I16";
    case Dtype::kU16:
      return "U16";
    case Dtype::kF16:
      return "F16";
    case Dtype::kBF16:
      return "BF16";
    case Dtype::kI32:
      return "I32";
    case Dtype::kU32:
      return "U32";
    case Dtype::kF32:
      return "F32";
    case Dtype::kC64:
      return "C64";
    case Dtype::kF64:
      return "F64";
    case Dtype::kI64:
      return "I64";
    case Dtype::kU64:
      return "U64";
    case Dtype::kI4:
      return "I4";
  }
  unknown_dtype(dtype);
}

// Neither direction multiplies subnormals, so flush-to-zero modes do not change the result.
float half_to_float(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000U) << 16;
  const uint32_t rest = bits & 0x7fffU;
  uint32_t result = (rest << 13) + (112U << 23);
  if (rest >= 0x7c00) result += 112U << 23;  // infinity, NaN
  if (rest < 0x0400) {
    // 0.5 has an ulp of 2^-24, the unit of half's subnormals.
    result = std::bit_cast<uint32_t>(std::bit_cast<float>((126U << 23) | rest) - 0.5F);
  }
  return std::bit_cast<float>(sign | result);
}

uint16_t float_to_half(float value) {
  const auto raw = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (raw >> 16) & 0x8000U;
  uint32_t rest = raw & 0x7fffffffU;
  if (rest > 0x7f800000U) return static_cast<uint16_t>(sign | 0x7e00U | ((rest >> 13) & 0x1ffU));
  if (rest >= 0x47800000U) return static_cast<uint16_t>(sign | 0x7c00U);  // 65536 and above
  if (rest < 0x38800000U) {                                               // below 2^-14
    const auto shifted = std::bit_cast<uint32_t>(std::bit_cast<float>(rest) + 0.5F);
    return static_cast<uint16_t>(sign | (shifted - (126U << 23)));
  }
  rest += 0xfffU + ((rest >> 13) & 1U);  // 65520 and above carries into infinity
  return static_cast<uint16_t>(sign | ((rest - (112U << 23)) >> 13));
}

float bfloat16_to_float(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

uint16_t float_to_bfloat16(float value) {
  const auto raw = std::bit_cast<uint32_t>(value);
  if ((raw & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>((raw >> 16) | 0x40U);
  return static_cast<uint16_t>((raw + 0x7fffU + ((raw >> 16) & 1U)) >> 16);
}

}  // namespace octet
