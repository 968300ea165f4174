#include "core/containers/dtype.h"

#include <fmt/format.h>

#include <array>
#include <bit>

#include "core/error.h"

namespace octet {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read as little-endian");

struct Row {
  Dtype dtype;
  std::string_view name;
  int bits;
};

constexpr std::array<Row, 22> kTable{{
    {Dtype::kBool, "BOOL", 8},
    {Dtype::kF4, "F4", 4},
    {Dtype::kF6E2M3, "F6_E2M3", 6},
    {Dtype::kF6E3M2, "F6_E3M2", 6},
    {Dtype::kU8, "U8", 8},
    {Dtype::kI8, "I8", 8},
    {Dtype::kF8E5M2, "F8_E5M2", 8},
    {Dtype::kF8E4M3, "F8_E4M3", 8},
    {Dtype::kF8E8M0, "F8_E8M0", 8},
    {Dtype::kF8E4M3FNUZ, "F8_E4M3FNUZ", 8},
    {Dtype::kF8E5M2FNUZ, "F8_E5M2FNUZ", 8},
    {Dtype::kI16, "I16", 16},
    {Dtype::kU16, "U16", 16},
    {Dtype::kF16, "F16", 16},
    {Dtype::kBF16, "BF16", 16},
    {Dtype::kI32, "I32", 32},
    {Dtype::kU32, "U32", 32},
    {Dtype::kF32, "F32", 32},
    {Dtype::kC64, "C64", 64},
    {Dtype::kF64, "F64", 64},
    {Dtype::kI64, "I64", 64},
    {Dtype::kU64, "U64", 64},
}};

const Row& row(Dtype dtype) {
  for (const Row& entry : kTable) {
    if (entry.dtype == dtype) return entry;
  }
  throw Error(fmt::format("dtype number {}", static_cast<int>(dtype)), "one of safetensors' dtypes",
              "check the file");
}

std::string shape_text(const TensorInfo& info) {
  return fmt::format("[{}]", fmt::join(info.shape, ", "));
}

}  // namespace

int bits(Dtype dtype) {
  return row(dtype).bits;
}

std::string_view name(Dtype dtype) {
  return row(dtype).name;
}

std::optional<Dtype> dtype_from_name(std::string_view name) {
  for (const Row& entry : kTable) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

int64_t element_count(const TensorInfo& info) {
  int64_t count = 1;
  for (const int64_t dimension : info.shape) {
    if (dimension < 0 || __builtin_mul_overflow(count, dimension, &count)) {
      throw Error(fmt::format("shape {} of {}", shape_text(info), info.name),
                  "non-negative dimensions whose product fits 63 bits", "check the file");
    }
  }
  return count;
}

uint64_t byte_count(const TensorInfo& info) {
  const auto count = static_cast<uint64_t>(element_count(info));
  uint64_t total = 0;
  if (__builtin_mul_overflow(count, static_cast<uint64_t>(bits(info.dtype)), &total)) {
    throw Error(fmt::format("shape {} of {} {}", shape_text(info), name(info.dtype), info.name),
                "a size that fits 64 bits", "check the file");
  }
  if (total % 8 != 0) {
    throw Error(fmt::format("{} bits in {} {}", total, name(info.dtype), info.name), "whole bytes",
                "check the shape");
  }
  return total / 8;
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
