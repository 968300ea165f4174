#include "core/containers/tensor_info.h"

#include <bit>
#include <cmath>

#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

// The definition of IEEE half, by ldexp.
double half_value(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return mantissa != 0 ? std::nan("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Dtype, HalfToFloatEveryValue) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const float got = half_to_float(bits);
    const double want = half_value(bits);
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(got)) << i;
      // The payload stays, above the bits that half lacks.
      ASSERT_EQ(std::bit_cast<uint32_t>(got) & 0x7fffffU, (i & 1023U) << 13);
    } else {
      ASSERT_EQ(static_cast<double>(got), want) << i;
      ASSERT_EQ(std::signbit(got), std::signbit(want)) << i;
      ASSERT_EQ(float_to_half(got), bits);
    }
  }
}

TEST(Dtype, FloatToHalfAroundEveryBoundary) {
  // Between neighbours: below the middle goes down, above goes up, the middle goes to the even one.
  for (uint16_t low = 0; low < 0x7c00; ++low) {
    const auto high = static_cast<uint16_t>(low + 1);
    const double next = high == 0x7c00 ? 65536.0 : half_value(high);
    const auto middle = static_cast<float>((half_value(low) + next) / 2);
    const uint16_t even = (low & 1) == 0 ? low : high;
    ASSERT_EQ(float_to_half(middle), even) << low;
    ASSERT_EQ(float_to_half(-middle), even | 0x8000) << low;
    ASSERT_EQ(float_to_half(std::nextafterf(middle, 0)), low) << low;
    ASSERT_EQ(float_to_half(std::nextafterf(middle, INFINITY)), high) << low;
  }
  EXPECT_EQ(float_to_half(INFINITY), 0x7c00);
  EXPECT_EQ(float_to_half(-3e38F), 0xfc00);
  EXPECT_EQ(float_to_half(1e-45F), 0);
  EXPECT_EQ(float_to_half(-1e-45F), 0x8000);
}

TEST(Dtype, NanStaysNan) {
  for (const uint32_t bits : {0x7f800001U, 0x7fffffffU, 0xffc00000U, 0xff800001U}) {
    const auto value = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value)))) << bits;
    EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(value)))) << bits;
    EXPECT_EQ(float_to_half(value) >> 15, bits >> 31);
    EXPECT_EQ(float_to_bfloat16(value) >> 15, bits >> 31);
  }
}

TEST(Dtype, Bfloat16EveryValueAndBoundary) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const float value = bfloat16_to_float(bits);
    ASSERT_EQ(std::bit_cast<uint32_t>(value), i << 16);
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_bfloat16(value), bits);
    if (std::isinf(value)) continue;
    const auto middle = (i << 16) | 0x8000U;
    ASSERT_EQ(float_to_bfloat16(std::bit_cast<float>(middle)), bits + (bits & 1)) << i;
    ASSERT_EQ(float_to_bfloat16(std::bit_cast<float>(middle - 1)), bits) << i;
    ASSERT_EQ(float_to_bfloat16(std::bit_cast<float>(middle + 1)), bits + 1) << i;
  }
}

TEST(Dtype, NamesRoundTrip) {
  for (int i = 0; i <= static_cast<int>(Dtype::kU64); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    EXPECT_EQ(dtype_from_name(name(dtype)), dtype);
    EXPECT_GT(bits(dtype), 0);
  }
  EXPECT_EQ(name(Dtype::kF8E4M3FNUZ), "F8_E4M3FNUZ");
  EXPECT_EQ(bits(Dtype::kF6E2M3), 6);
  EXPECT_EQ(dtype_from_name("f32"), std::nullopt);
  EXPECT_EQ(dtype_from_name(""), std::nullopt);
  EXPECT_THAT(error_of([] { bits(static_cast<Dtype>(99)); }), HasSubstr("dtype number 99"));
}

TEST(Dtype, CodesOfFourBitsAreNoContainersDtype) {
  EXPECT_EQ(bits(Dtype::kI4), 4);
  EXPECT_EQ(name(Dtype::kI4), "I4");
  EXPECT_EQ(dtype_from_name("I4"), std::nullopt);
}

TEST(Dtype, SizesAreKnownWhenCompiled) {
  static_assert(bits(Dtype::kBF16) == 16 && byte_size(Dtype::kF64) == 8);
  static_assert(byte_size(Dtype::kF6E2M3) == 0 && byte_size(Dtype::kI4) == 0);
  static_assert(is_compute_dtype(Dtype::kF32) && !is_compute_dtype(Dtype::kF64));
  EXPECT_THAT(error_of([] { refuse_dtype(Dtype::kU16, "a kernel", "F32"); }),
              HasSubstr("a kernel with elements of type U16"));
}

TEST(Dtype, Counts) {
  EXPECT_EQ(element_count({"t", Dtype::kF32, {}}), 1);
  EXPECT_EQ(element_count({"t", Dtype::kF32, {3, 0, 5}}), 0);
  EXPECT_EQ(byte_count({"t", Dtype::kF64, {3, 5}}), 120U);
  EXPECT_EQ(byte_count({"t", Dtype::kF4, {3, 2}}), 3U);
  EXPECT_EQ(byte_count({"t", Dtype::kU8, {int64_t{1} << 60}}), uint64_t{1} << 60);
  EXPECT_THAT(error_of([] { byte_count({"t", Dtype::kF4, {3}}); }), HasSubstr("whole bytes"));
  EXPECT_THAT(error_of([] { byte_count({"t", Dtype::kF6E3M2, {2}}); }), HasSubstr("12 bits"));
  EXPECT_THAT(error_of([] { byte_count({"big", Dtype::kF64, {INT64_MAX}}); }), HasSubstr("big"));
  EXPECT_THAT(error_of([] { element_count({"t", Dtype::kU8, {INT64_MAX, 2}}); }), HasSubstr("63"));
  EXPECT_THAT(error_of([] { element_count({"t", Dtype::kU8, {-1, 0}}); }), HasSubstr("[-1, 0]"));
}

}  // namespace
}  // namespace octet
