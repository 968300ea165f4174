// quantize_weights.h against naive versions in double, and each CPU level's kernels against the
// portable bits.
#include "kernels/cpu/weights/quantize_weights.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cstring>

#include "core/dtype.h"
#include "core/error.h"
#include "kernels/cpu/weights/quantize_weights_rows.h"
#include "tests/kernels/levels.h"
#include "tests/kernels/reference.h"

namespace octet::cpu {
namespace {

constexpr float kHuge = std::numeric_limits<float>::infinity();
constexpr Dtype kTypes[] = {Dtype::kF16, Dtype::kBF16, Dtype::kF32};

std::vector<float> normals(int64_t count, uint64_t seed, double deviation = 0.03) {
  const Random random(seed, "weight_codes_test");
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(random.normal(i) * deviation);
  return x;
}

std::vector<uint16_t> halves(const std::vector<float>& x) {
  std::vector<uint16_t> out(x.size());
  std::transform(x.begin(), x.end(), out.begin(), float_to_half);
  return out;
}

float stored(float v, Dtype type) {
  if (type == Dtype::kF16) return half_to_float(float_to_half(v));
  return type == Dtype::kBF16 ? bfloat16_to_float(float_to_bfloat16(v)) : v;
}

float absmax_of(const float* x, int64_t k) {
  float top = 0;
  for (int64_t j = 0; j < k; ++j) top = std::max(top, std::abs(x[j]));
  return top;
}

int8_t code_of(float x, float scale, Dtype element) {
  const float v = std::nearbyint(x / scale);
  return static_cast<int8_t>(element == Dtype::kI8 ? std::clamp(v, -127.0f, 127.0f)
                                                   : std::clamp(v, -8.0f, 7.0f));
}

double error_of(const float* x, int64_t k, float scale, Dtype element) {
  double sum = 0;
  for (int64_t j = 0; j < k; ++j) {
    const double d = x[j] - static_cast<double>(scale) * code_of(x[j], scale, element);
    sum += d * d * d * d;
  }
  return sum;
}

class WeightLevel : public LevelTest {
 protected:
  const WeightKernels& kernels() const { return weight_kernels(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Every, WeightLevel, every_level(), level_name);

TEST_P(WeightLevel, EveryHalfWidens) {
  std::vector<uint16_t> all(65536);
  for (int i = 0; i < 65536; ++i) all[i] = static_cast<uint16_t>(i);
  std::vector<float> wide(65536);
  kernels().widen(all.data(), Dtype::kF16, 65536, wide.data());
  for (int i = 0; i < 65536; ++i) {
    const float expected = reference::from_half(all[i]);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(wide[i])) << i;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(wide[i]), std::bit_cast<uint32_t>(expected)) << i;
    }
  }
}

TEST_P(WeightLevel, AbsmaxScalesAndCodesFollowTheConvention) {
  for (const Dtype type : kTypes) {
    for (const Dtype element : {Dtype::kI8, Dtype::kI4}) {
      for (const int64_t k : {1, 3, 8, 15, 16, 17, 64, 576}) {
        const std::vector<float> x = normals(k, k);
        std::vector<int8_t> codes(k + 1, 99);
        float scale = 0;
        ASSERT_TRUE(
            kernels().quantize(x.data(), k, {element, 0, false, type}, codes.data(), &scale));
        ASSERT_EQ(scale,
                  stored(absmax_of(x.data(), k) / (element == Dtype::kI8 ? 127.0f : 7.5f), type));
        for (int64_t j = 0; j < k; ++j) ASSERT_EQ(codes[j], code_of(x[j], scale, element)) << j;
        ASSERT_EQ(codes[k], 99);
      }
    }
  }
}

TEST_P(WeightLevel, EveryScaleIsRoundedAsTheContainerRounds) {
  // Scales from far below a half's smallest subnormal to its largest value.
  for (const Dtype type : {Dtype::kF16, Dtype::kBF16}) {
    for (float scale = 0x1p-27f; scale < 60000; scale *= 1.00137f) {
      const float x = scale * 127.0f;
      const float expected = stored(x / 127.0f, type);
      int8_t code = 0;
      float made = 0;
      ASSERT_TRUE(kernels().quantize(&x, 1, {Dtype::kI8, 0, false, type}, &code, &made));
      if (expected == 0) {
        ASSERT_EQ(made, 1.0f) << x;
        ASSERT_EQ(code, 0);
      } else if (expected >= 0x1p-14f || type == Dtype::kBF16) {
        ASSERT_EQ(made, expected) << x;
      } else {
        ASSERT_LE(x / made, 127.5f);
        ASSERT_TRUE(made == expected || (made == expected + 0x1p-24f && x / expected > 127.5f));
      }
    }
  }
}

TEST_P(WeightLevel, RoundTripIsScaleTimesCodeAndTellsWhatIsClamped) {
  for (const Dtype element : {Dtype::kI8, Dtype::kI4}) {
    const int64_t k = 48, group = element == Dtype::kI4 ? 16 : 0;
    std::vector<float> x = normals(k, 3);
    const std::vector<float> scales = {0.0004f, 0.003f, 0.02f};
    // Halves: -8.5 goes to -8, which is a code; 7.5 goes to 8, which is none.
    x[20] = -8.5f * scales[1], x[21] = 7.5f * scales[1], x[22] = 127.5f * scales[0];
    std::vector<float> values(k);
    std::vector<uint8_t> inside(k);
    kernels().round_trip(x.data(), k, {element, group, false, Dtype::kF32}, scales.data(),
                         values.data(), inside.data());
    int64_t clamped = 0;
    for (int64_t j = 0; j < k; ++j) {
      const float scale = scales[group > 0 ? j / group : 0];
      const int8_t code = code_of(x[j], scale, element);
      ASSERT_EQ(values[j], scale * code) << j;
      ASSERT_EQ(inside[j], std::nearbyint(x[j] / scale) == code ? 1 : 0) << j;
      clamped += 1 - inside[j];
    }
    EXPECT_GT(clamped, 0);
    EXPECT_LT(clamped, k);
    EXPECT_EQ(inside[22], element == Dtype::kI8 ? 0 : inside[22]);
    EXPECT_EQ(inside[20], element == Dtype::kI4 ? 1 : inside[20]);
    EXPECT_EQ(inside[21], element == Dtype::kI4 ? 0 : inside[21]);
  }
}

TEST_P(WeightLevel, ClipSearchFindsTheBestOfItsGrid) {
  for (const Dtype element : {Dtype::kI8, Dtype::kI4}) {
    for (const int64_t k : {5, 16, 64, 128, 300}) {
      const std::vector<float> x = normals(k, 7 * k);
      std::vector<int8_t> codes(k);
      float scale = 0;
      ASSERT_TRUE(
          kernels().quantize(x.data(), k, {element, 0, true, Dtype::kF16}, codes.data(), &scale));
      double best = std::numeric_limits<double>::infinity();
      for (int step = 28; step <= 43; ++step) {
        const float range = absmax_of(x.data(), k) * (static_cast<float>(step) / 40.0f);
        best = std::min(
            best, error_of(x.data(), k,
                           stored(range / (element == Dtype::kI8 ? 127.0f : 7.5f), Dtype::kF16),
                           element));
      }
      // The search sums in float32: an error this much larger may look as small.
      EXPECT_LE(error_of(x.data(), k, scale, element), best * (1 + 1e-4))
          << name(element) << " " << k;
      for (int64_t j = 0; j < k; ++j) ASSERT_EQ(codes[j], code_of(x[j], scale, element));
    }
  }
}

TEST_P(WeightLevel, BitsAreThoseOfThePortableLevel) {
  const std::vector<float> x = normals(4096, 3);
  for (const Dtype type : kTypes) {
    for (const WeightCoding& options : {WeightCoding{Dtype::kI8, 0, true, type},
                                        {Dtype::kI4, 64, true, type},
                                        {Dtype::kI4, 128, false, type}}) {
      std::vector<int8_t> codes(4096), portable_codes(4096);
      std::vector<float> scales(64), portable_scales(64);
      kernels().quantize(x.data(), 4096, options, codes.data(), scales.data());
      weight_kernels_portable().quantize(x.data(), 4096, options, portable_codes.data(),
                                         portable_scales.data());
      EXPECT_EQ(codes, portable_codes);
      EXPECT_EQ(scales, portable_scales);
    }
  }
}

TEST_P(WeightLevel, HalvesGoToEvenAndTheLowestCodeOfFourBitsIsUsed) {
  // absmax 7.5 gives scale 1: weights are their own codes.
  const std::vector<float> x = {-7.5f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 7.5f, 6.5f};
  std::vector<int8_t> codes(8);
  float scale = 0;
  ASSERT_TRUE(
      kernels().quantize(x.data(), 8, {Dtype::kI4, 0, false, Dtype::kF16}, codes.data(), &scale));
  EXPECT_EQ(scale, 1.0f);
  EXPECT_EQ(codes, (std::vector<int8_t>{-8, 0, 2, 2, 0, -2, 7, 6}));
}

TEST(QuantizeWeights, GroupsHaveTheirOwnScalesAndAnyCutGivesTheSameBits) {
  const int64_t rows = 70, k = 1536, group = 64;
  std::vector<float> x = normals(rows * k, 5);
  std::fill_n(x.begin() + 3 * k + group, group, 0.0f);
  const std::vector<uint16_t> w = halves(x);
  const WeightCoding options{Dtype::kI4, group, true, Dtype::kBF16};
  std::vector<int8_t> whole(rows * k), pieces(rows * k);
  std::vector<float> scales(rows * k / group), piece_scales(rows * k / group);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(3);
  ASSERT_EQ(quantize_weights(w.data(), Dtype::kF16, rows, k, options, whole.data(), scales.data()),
            -1);
  omp_set_num_threads(threads);
  for (int64_t r = 0; r < rows; r += 7) {
    ASSERT_EQ(quantize_weights(w.data() + r * k, Dtype::kF16, 7, k, options, pieces.data() + r * k,
                               piece_scales.data() + r * k / group),
              -1);
  }
  EXPECT_EQ(whole, pieces);
  EXPECT_EQ(scales, piece_scales);
  EXPECT_EQ(scales[(3 * k + group) / group], 1.0f);
  EXPECT_EQ(whole[3 * k + group], 0);
}

TEST(QuantizeWeights, DamageIsFoundAtItsPlace) {
  const int64_t rows = 40, k = 2000, count = rows * k;
  for (const float bad : {kHuge, -kHuge, std::nanf("")}) {
    for (const int64_t place : {int64_t{0}, int64_t{12345}, count - 1}) {
      std::vector<float> x = normals(count, 6);
      x[place] = bad;
      x[count - 1] = bad;
      std::vector<uint16_t> half = halves(x), brain(count);
      std::transform(x.begin(), x.end(), brain.begin(), float_to_bfloat16);
      const void* data[] = {half.data(), brain.data(), x.data()};
      std::vector<int8_t> codes(count);
      std::vector<float> scales(rows);
      for (int t = 0; t < 3; ++t) {
        EXPECT_EQ(find_nonfinite(data[t], kTypes[t], count), place);
        EXPECT_EQ(quantize_weights(data[t], kTypes[t], rows, k, {}, codes.data(), scales.data()),
                  place);
      }
    }
  }
  const std::vector<float> sound = normals(count, 6);
  EXPECT_EQ(find_nonfinite(sound.data(), Dtype::kF32, count), -1);
}

TEST(QuantizeWeights, AWeightBeyondTheScalesOfTheTypeIsNamed) {
  std::vector<float> x = normals(100, 8);
  x[42] = -1e9f;
  std::vector<int8_t> codes(100);
  std::vector<float> scales(2);
  WeightCoding options{Dtype::kI8, 0, false, Dtype::kF16};
  EXPECT_EQ(quantize_weights(x.data(), Dtype::kF32, 2, 50, options, codes.data(), scales.data()),
            42);
  options.scale_type = Dtype::kBF16;
  EXPECT_EQ(quantize_weights(x.data(), Dtype::kF32, 2, 50, options, codes.data(), scales.data()),
            -1);
}

TEST(QuantizeWeights, ScalesAreStoredExactly) {
  const std::vector<float> scales = {1.0f, 0x1.24p-9f, 0x1p-24f};
  std::vector<uint16_t> half(3), brain(3);
  std::vector<float> wide(3);
  store_scales(scales.data(), 3, Dtype::kF16, half.data());
  store_scales(scales.data(), 3, Dtype::kBF16, brain.data());
  store_scales(scales.data(), 3, Dtype::kF32, wide.data());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(half_to_float(half[i]), scales[i]);
    EXPECT_EQ(bfloat16_to_float(brain[i]), scales[i]);
  }
  EXPECT_EQ(wide, scales);
}

TEST(QuantizeWeights, TypesWithoutAnInstanceAreRefused) {
  const std::vector<float> x(8, 1.0f);
  std::vector<int8_t> codes(8);
  std::vector<uint8_t> inside(8);
  std::vector<float> out(8);
  std::vector<int32_t> words(2);
  const float scale = 1;
  for (const Dtype type : {Dtype::kF64, Dtype::kI8}) {
    EXPECT_THROW(quantize_weights(x.data(), type, 1, 8, {}, codes.data(), out.data()), Error);
    EXPECT_THROW(find_nonfinite(x.data(), type, 4), Error);
    EXPECT_THROW(store_scales(&scale, 1, type, out.data()), Error);
  }
  for (const WeightCoding& coding :
       {WeightCoding{Dtype::kF4}, WeightCoding{Dtype::kI8, 0, false, Dtype::kI32}}) {
    EXPECT_THROW(quantize_weights(x.data(), Dtype::kF32, 1, 8, coding, codes.data(), out.data()),
                 Error);
  }
  EXPECT_THROW(round_trip(x.data(), 1, 8, {Dtype::kU8}, &scale, out.data(), inside.data()), Error);
  EXPECT_THROW(pack_qweight(codes.data(), 1, 8, Dtype::kI16, words.data()), Error);
  EXPECT_THROW(unpack_qweight(words.data(), 1, 8, Dtype::kU8, codes.data()), Error);
}

TEST(PackCodes, LowBitsFirstAndZeroPadded) {
  const std::vector<int8_t> four = {-8, 7, 0, 1, -1, 2, 3, -2, 5};
  std::vector<int32_t> packed(2, -1);
  pack_qweight(four.data(), 1, 9, Dtype::kI4, packed.data());
  EXPECT_EQ(static_cast<uint32_t>(packed[0]), 0x6BA798F0u);
  EXPECT_EQ(packed[1], 13);
  const std::vector<int8_t> eight = {-127, 0, 127, -128, 5};
  pack_qweight(eight.data(), 1, 5, Dtype::kI8, packed.data());
  EXPECT_EQ(static_cast<uint32_t>(packed[0]), 0x00FF8001u);
  EXPECT_EQ(packed[1], 133);
}

TEST(PackCodes, UnpackingGivesTheCodesBack) {
  for (const Dtype element : {Dtype::kI4, Dtype::kI8}) {
    for (const int64_t k : {1, 2, 7, 8, 9, 64, 4097}) {
      const int64_t rows = 33;
      std::vector<int8_t> codes(rows * k), back(rows * k);
      const int64_t low = element == Dtype::kI8 ? -128 : -8,
                    span = element == Dtype::kI8 ? 256 : 16;
      for (int64_t i = 0; i < rows * k; ++i) codes[i] = static_cast<int8_t>(low + i * 7 % span);
      std::vector<int32_t> packed(rows * ((k * bits(element) + 31) / 32));
      pack_qweight(codes.data(), rows, k, element, packed.data());
      unpack_qweight(packed.data(), rows, k, element, back.data());
      ASSERT_EQ(codes, back) << name(element) << " " << k;
    }
  }
}

}  // namespace
}  // namespace octet::cpu
