// quantize.h and statistics.h: the public functions against references, and each CPU level's row
// kernels.
#include "kernels/cpu/rows/rows.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"
#include "kernels/cpu/rows/quantize.h"
#include "kernels/cpu/statistics/statistics.h"
#include "tests/kernels/levels.h"
#include "tests/kernels/reference.h"

namespace octet::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> normals(int64_t count, uint64_t seed, double deviation = 1.0) {
  const Random random(seed, "rows_test");
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(random.normal(i) * deviation);
  return x;
}

class RowLevel : public LevelTest {
 protected:
  const RowKernels& kernels() const { return row_kernels(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Every, RowLevel, every_level(), level_name);

TEST_P(RowLevel, ScaleAndCodesMatchReferenceAtEveryLength) {
  for (int64_t k : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70, 576, 1536}) {
    const std::vector<float> x = normals(k, k, 3.0);
    const float scale = kernels().scale(x.data(), k);
    ASSERT_EQ(scale, reference::row_scale(x.data(), k)) << k;
    std::vector<int8_t> q(k + 1, 99);
    kernels().quantize(x.data(), k, scale, q.data());
    for (int64_t j = 0; j < k; ++j) ASSERT_EQ(q[j], reference::code(x[j], scale)) << k << " " << j;
    ASSERT_EQ(q[k], 99);
  }
}

TEST_P(RowLevel, HalvesRoundToEvenAndFarValuesClamp) {
  const std::vector<float> x = {0.5f,    1.5f,   2.5f,    -0.5f, -1.5f, -2.5f, 126.5f, 127.5f,
                                -127.5f, 128.0f, -129.0f, 1e30f, -kInf, kInf,  kNan,   -0.0f};
  const std::vector<int8_t> expected = {0,    2,   2,    0,   -2,   -2,  126, 127,
                                        -127, 127, -127, 127, -127, 127, 0,   0};
  std::vector<int8_t> q(x.size());
  kernels().quantize(x.data(), static_cast<int64_t>(x.size()), 1.0f, q.data());
  EXPECT_EQ(q, expected);
}

TEST_P(RowLevel, DamagedRowsKeepTheDamageVisible) {
  for (float bad : {kNan, kInf, -kInf}) {
    for (int64_t at : {0, 8, 36}) {
      std::vector<float> x = normals(37, 1);
      x[at] = bad;
      EXPECT_TRUE(std::isnan(kernels().scale(x.data(), 37)));
      std::vector<int8_t> q(37, 5);
      kernels().quantize(x.data(), 37, kNan, q.data());
      EXPECT_EQ(q, std::vector<int8_t>(37, 0));
    }
  }
}

TEST_P(RowLevel, TinyRowsStayInRange) {
  const std::vector<float> zero(9, -0.0f);
  EXPECT_EQ(kernels().scale(zero.data(), 9), 1.0f);
  for (float top : {1e-45f, 1e-43f, 1e-42f, 3.3e-40f, 1e-38f}) {
    const std::vector<float> x = {top, -top, 0.0f};
    const float scale = kernels().scale(x.data(), 3);
    ASSERT_GT(scale, 0.0f);
    EXPECT_TRUE(scale == 1.0f || top / scale <= 127.5f) << top;
  }
}

TEST_P(RowLevel, RmsNormMatchesDoubles) {
  for (int64_t k : {1, 2, 7, 8, 9, 17, 64, 576, 1536}) {
    const std::vector<float> x = normals(k, k, 5.0), weight = normals(k, k + 1);
    std::vector<float> y(k);
    std::vector<double> expected(k);
    kernels().rms_norm(x.data(), weight.data(), 1e-5f, k, y.data());
    reference::rms_norm(x.data(), weight.data(), 1e-5f, 1, k, expected.data());
    // Three roundings of half an ulp each: the inverse, and two products.
    for (int64_t j = 0; j < k; ++j) ASSERT_NEAR(y[j], expected[j], std::abs(expected[j]) * 1.8e-7);
  }
}

TEST_P(RowLevel, RmsNormBitsAreThoseOfThePortableLevel) {
  const std::vector<float> x = normals(1537, 9), weight = normals(1537, 8);
  std::vector<float> y(1537), portable(1537);
  kernels().rms_norm(x.data(), weight.data(), 1e-6f, 1537, y.data());
  row_kernels_portable().rms_norm(x.data(), weight.data(), 1e-6f, 1537, portable.data());
  EXPECT_EQ(y, portable);
}

TEST_P(RowLevel, SiluMulMatchesDoubles) {
  std::vector<float> gate;
  for (int i = -8600; i <= 8600; ++i) gate.push_back(static_cast<float>(i) * 0.01f);
  const auto k = static_cast<int64_t>(gate.size());
  const std::vector<float> up = normals(k, 4);
  std::vector<float> y(k);
  kernels().silu_mul(gate.data(), up.data(), k, y.data());
  // exp within 2 ulp, then an addition, a quotient and a product: 3.5 ulp of 2^-24 relative each
  // side.
  for (int64_t j = 0; j < k; ++j) {
    const double expected = reference::silu_mul(gate[j], up[j]);
    ASSERT_NEAR(y[j], expected, std::abs(expected) * 5e-7) << gate[j];
  }
}

TEST_P(RowLevel, SiluMulOfExtremes) {
  const std::vector<float> gate = {0.0f, 100.0f, 3e38f, -100.0f, -1e4f, kInf, kNan};
  const std::vector<float> up(gate.size(), 1.0f);
  std::vector<float> y(gate.size());
  kernels().silu_mul(gate.data(), up.data(), 7, y.data());
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[1], 100.0f);
  EXPECT_EQ(y[2], 3e38f);
  EXPECT_NEAR(y[3], 0.0f, 1e-35);
  EXPECT_NEAR(y[4], 0.0f, 1e-33);
  EXPECT_EQ(y[5], kInf);
  EXPECT_TRUE(std::isnan(y[6]));
}

TEST_P(RowLevel, BinsFollowTheDefinition) {
  const std::vector<float> x = {0.0f,  -0.0f, 0.24f,  0.25f, -0.25f,
                                0.49f, 0.5f,  100.0f, 3e38f, 1e-45f};
  std::vector<int32_t> index(x.size());
  kernels().bins(x.data(), static_cast<int64_t>(x.size()), 0.25f, 7, index.data());
  EXPECT_EQ(index, (std::vector<int32_t>{-1, -1, 0, 1, 1, 1, 2, 7, 7, 0}));
}

TEST(Quantize, RowsMatchReferenceWithZeroAndDamagedRows) {
  const int64_t rows = 300, k = 577;
  std::vector<float> x = normals(rows * k, 1);
  std::fill_n(x.begin() + 3 * k, k, 0.0f);
  x[5 * k + 100] = kNan;
  x[6 * k + 576] = kInf;
  std::vector<int8_t> q(rows * k), q_ref(rows * k);
  std::vector<float> scale(rows), scale_ref(rows);
  quantize_rows(x.data(), rows, k, q.data(), scale.data());
  reference::quantize_rows(x.data(), rows, k, q_ref.data(), scale_ref.data());
  EXPECT_EQ(q, q_ref);
  EXPECT_EQ(0, std::memcmp(scale.data(), scale_ref.data(), rows * sizeof(float)));
  EXPECT_EQ(scale[3], 1.0f);
  EXPECT_TRUE(std::isnan(scale[5]) && std::isnan(scale[6]));
}

TEST(Quantize, TensorMatchesReference) {
  for (int64_t count : {0, 1, 33, 200'001}) {
    const std::vector<float> x = normals(count, 2, 2.0);
    std::vector<int8_t> q(count);
    quantize_tensor(x.data(), count, 0.037f, q.data());
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(q[i], reference::code(x[i], 0.037f));
  }
}

TEST(Quantize, FusedCallsGiveTheBitsOfTheSequence) {
  for (int64_t rows : {0, 1, 3, 200}) {
    for (int64_t k : {1, 37, 576}) {
      const std::vector<float> x = normals(rows * 2 * k, rows + k), weight = normals(k, 3);
      std::vector<float> y(rows * k), s1(rows), s2(rows);
      std::vector<int8_t> q1(rows * k), q2(rows * k);
      rms_norm(x.data(), weight.data(), 1e-5f, rows, k, y.data());
      quantize_rows(y.data(), rows, k, q1.data(), s1.data());
      rms_norm_quantize_rows(x.data(), weight.data(), 1e-5f, rows, k, q2.data(), s2.data());
      ASSERT_EQ(q1, q2);
      ASSERT_EQ(s1, s2);
      quantize_tensor(y.data(), rows * k, 0.02f, q1.data());
      rms_norm_quantize_tensor(x.data(), weight.data(), 1e-5f, rows, k, 0.02f, q2.data());
      ASSERT_EQ(q1, q2);
      silu_mul(x.data(), rows, k, y.data());
      quantize_rows(y.data(), rows, k, q1.data(), s1.data());
      silu_mul_quantize_rows(x.data(), rows, k, q2.data(), s2.data());
      ASSERT_EQ(q1, q2);
      ASSERT_EQ(s1, s2);
      quantize_tensor(y.data(), rows * k, 0.02f, q1.data());
      silu_mul_quantize_tensor(x.data(), rows, k, 0.02f, q2.data());
      ASSERT_EQ(q1, q2);
    }
  }
}

TEST(Statistics, ChannelAbsmaxFoldsIntoWhatIsThere) {
  const int64_t rows = 150, k = 1537;
  std::vector<float> x = normals(rows * k, 6);
  x[7 * k + 5] = kNan;
  x[8 * k + 6] = -kInf;
  std::vector<float> absmax(k, 0.0f);
  absmax[2] = 1000.0f;
  channel_absmax(x.data(), rows, k, absmax.data());
  EXPECT_EQ(absmax[2], 1000.0f);
  EXPECT_TRUE(std::isnan(absmax[5]));
  EXPECT_EQ(absmax[6], kInf);
  for (int64_t j = 7; j < k; ++j) {
    float expected = 0;
    for (int64_t r = 0; r < rows; ++r) expected = std::max(expected, std::abs(x[r * k + j]));
    ASSERT_EQ(absmax[j], expected);
  }
}

TEST(Statistics, HistogramCountsEveryValueOnce) {
  for (int64_t count : {0, 1, 5, 4097, 300'001}) {
    std::vector<float> x = normals(count, 7);
    for (int64_t i = 0; i < count; i += 3) x[i] = 0.0f;
    const float width = 0x1p-9f;
    std::vector<int64_t> counts(1024, 10), expected(1024, 10);
    int64_t zeros = 0;
    for (float v : x) {
      if (v == 0) {
        ++zeros;
      } else {
        ++expected[std::min<int64_t>(1023, static_cast<int64_t>(std::floor(std::abs(v) / width)))];
      }
    }
    EXPECT_EQ(histogram(x.data(), count, width, counts.data(), 1024), zeros);
    EXPECT_EQ(counts, expected);
  }
}

TEST(Statistics, HistogramWithoutBinsIsRefused) {
  const float x = 1;
  int64_t counts = 0;
  EXPECT_THROW(histogram(&x, 1, 1.0f, &counts, 0), Error);
}

}  // namespace
}  // namespace octet::cpu
