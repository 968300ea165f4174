// Norms and gates fused with quantization, against the naive references and against themselves in
// steps: codes must be those of quantize_rows on the value written.
#include "kernels/cuda/rows/row_kernels.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/kernels/on_device.h"

namespace octet::cuda {
namespace {

constexpr float kEps = 1e-5f;
// Warps and blocks a row, partly filled; elements one by one.
constexpr int64_t kWidths[] = {1, 7, 8, 40, 576, 1000, 1024, 1032, 4096, 4100, 5120, 32768, 32776};

class RowsGpu : public TypedGpu {
 protected:
  using Run = std::function<void(const RowTarget&)>;

  /// Runs with every kind of target; what is asked of the codes follows from the value, which is
  /// returned.
  static std::vector<float> check_targets(int64_t rows, int64_t k, const Run& run) {
    const OnDevice<uint8_t> value(room_for(rows * k)), again(room_for(rows * k));
    run({nullptr, nullptr, false, value.get()});
    const std::vector<uint8_t> alone = value.host();
    for (bool per_row : {true, false}) {
      const std::vector<float> given(per_row ? rows : 1, 0.03125f);
      const OnDevice<int8_t> q(std::vector<int8_t>(rows * k, 99)), expected(q.host());
      const OnDevice<float> scale(given), expected_scale(given);
      if (per_row) {
        quantize_rows(value.get(), GetParam(), rows, k, expected.get(), expected_scale.get(),
                      nullptr);
      } else {
        quantize_tensor(value.get(), GetParam(), rows * k, expected_scale.get(), expected.get(),
                        nullptr);
      }
      for (bool with_value : {true, false}) {
        run({q.get(), scale.get(), per_row, with_value ? again.get() : nullptr});
        EXPECT_EQ(q.host(), expected.host()) << rows << " x " << k << " " << per_row << with_value;
        EXPECT_TRUE(same_bits(scale.host(), expected_scale.host()));
      }
      EXPECT_EQ(again.host(), alone);
    }
    return decode(alone, GetParam());
  }

  static bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
  }
  static std::vector<float> held(const std::vector<float>& x) { return rounded(x, GetParam()); }
  /// x + delta as the type holds it.
  static std::vector<float> sums(const std::vector<float>& x, const std::vector<float>& delta) {
    std::vector<float> sum(x.size());
    for (size_t i = 0; i < x.size(); ++i) sum[i] = x[i] + delta[i];
    return held(sum);
  }
};
INSTANTIATE_TEST_SUITE_P(Types, RowsGpu, testing::Values(Dtype::kF32, Dtype::kF16, Dtype::kBF16),
                         [](const auto& info) { return name_of(info.param); });

/// A row, and its norm in float64.
std::vector<double> norm(const float* x, const std::vector<float>& weight,
                         const std::vector<float>& bias, bool rms) {
  const size_t k = weight.size();
  double mean = 0, squares = 0;
  for (size_t j = 0; j < k && !rms; ++j) mean += x[j] / static_cast<double>(k);
  for (size_t j = 0; j < k; ++j) squares += (x[j] - mean) * (x[j] - mean);
  const double inverse = 1.0 / std::sqrt(squares / static_cast<double>(k) + double{kEps});
  std::vector<double> y(k);
  for (size_t j = 0; j < k; ++j) {
    y[j] = (x[j] - mean) * inverse * weight[j] + (rms ? 0.0 : double{bias[j]});
  }
  return y;
}

TEST_P(RowsGpu, Norms) {
  for (int64_t k : kWidths) {
    for (int64_t rows : {1, 5}) {
      std::vector<float> x = held(normals(rows * k, k)), delta = held(normals(rows * k, k + 1));
      if (rows > 1) {
        std::fill_n(x.begin() + k, k, 0.0f);
        std::fill_n(delta.begin() + k, k, 0.0f);
      }
      const std::vector<float> weight = held(normals(k, 3)), bias = held(normals(k, 4));
      const OnDevice<uint8_t> dx(encode(x, GetParam())), dd(encode(delta, GetParam())),
          dw(encode(weight, GetParam())), db(encode(bias, GetParam())), ds(room_for(rows * k));
      for (int kind = 0; kind < 8; ++kind) {
        const bool rms = kind % 2 == 0, added = kind / 2 % 2 == 0, kept = kind / 4 == 0;
        const auto run = [&](const RowTarget& to) {
          const void* other = added ? dd.get() : nullptr;
          void* sum = kept ? ds.get() : nullptr;
          if (rms) {
            rms_norm_rows(dx.get(), other, dw.get(), kEps, GetParam(), rows, k, sum, to, nullptr);
          } else {
            layer_norm_rows(dx.get(), other, dw.get(), db.get(), kEps, GetParam(), rows, k, sum, to,
                            nullptr);
          }
        };
        const std::vector<float> y = check_targets(rows, k, run);
        const std::vector<float> sum = added ? sums(x, delta) : x;
        if (kept) {
          EXPECT_EQ(decode(ds.host(), GetParam()), sum);
        }
        for (int64_t r = 0; r < rows; ++r) {
          const std::vector<double> expected = norm(&sum[r * k], weight, bias, rms);
          for (int64_t j = 0; j < k; ++j) {
            // Two roundings to the type in RMSNorm, some tens in float32 beside.
            const double size = std::abs(expected[j]) + std::abs(double{bias[j]}) + 1.0;
            const double bound =
                std::abs(expected[j]) * 2.01 * half_ulp(GetParam()) + size * 64 * 0x1p-24 + 0x1p-24;
            ASSERT_NEAR(y[r * k + j], expected[j], bound) << r << " " << j << " of " << k;
          }
        }
      }
    }
  }
}

/// The roundings of the unfused ops: T(x * inverse), then T(that * weight).
TEST_P(RowsGpu, RmsNormRoundsTwice) {
  if (GetParam() == Dtype::kF32) GTEST_SKIP() << "float32 rounds nothing";
  for (int64_t k : {1000, 1002, 2048}) {
    constexpr float kSizes[] = {1.0f, -1.5f, 2.0f, -0.5f};  // mean of squares 1.875
    std::vector<float> x(k), expected(k);
    for (int64_t j = 0; j < k; ++j) x[j] = kSizes[j % 4];
    const std::vector<float> weight = held(normals(k, 3));
    const OnDevice<uint8_t> dx(encode(x, GetParam())), dw(encode(weight, GetParam())),
        dy(room_for(k));
    const float eps = k % 4 == 0 ? 0.25f : 0.5f;
    float squares = 0;
    for (float v : x) squares += v * v;
    rms_norm_rows(dx.get(), nullptr, dw.get(), eps, GetParam(), 1, k, nullptr,
                  {nullptr, nullptr, false, dy.get()}, nullptr);
    const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(k) + eps);
    for (int64_t j = 0; j < k; ++j) expected[j] = x[j] * inverse;
    expected = held(expected);
    for (int64_t j = 0; j < k; ++j) expected[j] *= weight[j];
    EXPECT_EQ(decode(dy.host(), GetParam()), held(expected)) << k;
  }
}

/// The sum and the value may be written over inputs.
TEST_P(RowsGpu, NormInPlace) {
  for (int64_t k : {576, 577, 4096}) {
    const int64_t rows = 6;
    const std::vector<float> x = held(normals(rows * k, 1)), delta = held(normals(rows * k, 2));
    const OnDevice<uint8_t> dw(encode(normals(k, 3), GetParam())), d0(encode(x, GetParam())),
        dx(encode(x, GetParam())), dd(encode(delta, GetParam())), dy(room_for(rows * k));
    rms_norm_rows(d0.get(), dd.get(), dw.get(), kEps, GetParam(), rows, k, nullptr,
                  {nullptr, nullptr, false, dy.get()}, nullptr);
    rms_norm_rows(dx.get(), dd.get(), dw.get(), kEps, GetParam(), rows, k, dx.get(),
                  {nullptr, nullptr, false, dd.get()}, nullptr);
    EXPECT_EQ(decode(dx.host(), GetParam()), sums(x, delta));
    EXPECT_EQ(dd.host(), dy.host());
  }
}

/// A row's bits do not depend on the rows beside it, nor on how many its warp or block has.
TEST_P(RowsGpu, RowsAreAlone) {
  for (const auto& [rows, k] :
       std::vector<std::pair<int64_t, int64_t>>{{33, 64}, {20'000, 64}, {33, 2048}, {3000, 2048}}) {
    const std::vector<float> x = normals(rows * k, 1);
    const OnDevice<uint8_t> dx(encode(x, GetParam())), dw(encode(normals(k, 3), GetParam())),
        all(room_for(rows * k)), one(room_for(k));
    for (bool rms : {true, false}) {
      const auto run = [&](const uint8_t* from, int64_t count, uint8_t* to) {
        const RowTarget target{nullptr, nullptr, false, to};
        if (rms) {
          rms_norm_rows(from, nullptr, dw.get(), kEps, GetParam(), count, k, nullptr, target,
                        nullptr);
        } else {
          layer_norm_rows(from, nullptr, dw.get(), dw.get(), kEps, GetParam(), count, k, nullptr,
                          target, nullptr);
        }
      };
      run(dx.get(), rows, all.get());
      const std::vector<uint8_t> whole = all.host();
      for (int64_t r : {rows / 2, rows - 1}) {
        const auto row = k * static_cast<int64_t>(bytes_of(GetParam()));
        run(dx.get() + r * row, 1, one.get());
        EXPECT_EQ(std::vector<uint8_t>(whole.begin() + r * row, whole.begin() + (r + 1) * row),
                  one.host());
      }
    }
  }
}

/// A mean far beyond the deviations costs LayerNorm no digits but those the mean itself lacks.
TEST_P(RowsGpu, LayerNormFarFromZero) {
  for (int64_t k : {40, 1032, 4096, 4100}) {
    std::vector<float> x = normals(k, k);
    for (float& v : x) v += 1000.0f;
    x = held(x);
    const std::vector<float> weight(k, 1.0f), bias(k, 0.0f);
    const OnDevice<uint8_t> dx(encode(x, GetParam())), dw(encode(weight, GetParam())),
        db(encode(bias, GetParam())), dy(room_for(k));
    layer_norm_rows(dx.get(), nullptr, dw.get(), db.get(), kEps, GetParam(), 1, k, nullptr,
                    {nullptr, nullptr, false, dy.get()}, nullptr);
    const std::vector<float> y = decode(dy.host(), GetParam());
    const std::vector<double> expected = norm(x.data(), weight, bias, false);
    for (int64_t j = 0; j < k; ++j) {
      const double bound =
          std::abs(expected[j]) * 1.01 * half_ulp(GetParam()) + 1000 * 32 * 0x1p-24;
      ASSERT_NEAR(y[j], expected[j], bound) << j << " of " << k;
    }
  }
}

double activated(RowActivation act, double x) {
  switch (act) {
    case RowActivation::kSilu:
      return x / (1.0 + std::exp(-x));
    case RowActivation::kGelu:
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case RowActivation::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case RowActivation::kRelu:
      return std::max(x, 0.0);
  }
  return 0;
}

TEST_P(RowsGpu, Gates) {
  for (int64_t k : kWidths) {
    const int64_t rows = 3;
    std::vector<float> x = normals(rows * 2 * k, k);
    for (float& v : x) v *= 3.0f;
    x[0] = -100.0f, x[1] = 60.0f, x[2 * k] = 79.0f, x[2 * k + k / 2] = -79.0f;
    for (int64_t i = 3 * k; i < 4 * k; ++i) x[i] *= 10.0f;
    std::fill_n(x.begin() + 4 * k, k, 0.0f);
    x = held(x);
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    for (RowActivation act : {RowActivation::kSilu, RowActivation::kGelu, RowActivation::kGeluTanh,
                              RowActivation::kRelu}) {
      for (bool gated : {true, false}) {
        const int64_t count = gated ? rows : 2 * rows;
        const std::vector<float> y = check_targets(count, k, [&](const RowTarget& to) {
          (gated ? gate_rows : activate_rows)(act, dx.get(), GetParam(), count, k, to, nullptr);
        });
        for (int64_t i = 0; i < count * k; ++i) {
          const int64_t at = gated ? i / k * 2 * k + i % k : i;
          const double factor = gated ? double{x[at + k]} : 1.0;
          const double expected = activated(act, x[at]) * factor;
          // float32 loses digits of gelu where it is small against x.
          const double bound = std::abs(expected) * (2.01 * half_ulp(GetParam()) + 0x1p-20) +
                               std::abs(x[at] * factor) * 0x1p-22 +
                               0x1p-24 * (1 + std::abs(factor));
          ASSERT_NEAR(y[i], expected, bound) << x[at] << " " << static_cast<int>(act) << gated;
        }
      }
    }
  }
}

/// NaN and Inf show in the scale, the codes are 0.
TEST_P(RowsGpu, DamageStaysVisible) {
  for (int64_t k : {64, 65, 2048}) {
    const int64_t rows = 4;
    std::vector<float> x = normals(rows * k, 1);
    x[k + 3] = kNan, x[2 * k + 5] = kInf;
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const OnDevice<int8_t> q(std::vector<int8_t>(rows * k, 99));
    const OnDevice<float> scale(std::vector<float>(rows, 99.0f));
    activate_rows(RowActivation::kRelu, dx.get(), GetParam(), rows, k,
                  {q.get(), scale.get(), true, nullptr}, nullptr);
    const std::vector<float> s = scale.host();
    const std::vector<int8_t> codes = q.host();
    for (int64_t r = 0; r < rows; ++r) EXPECT_EQ(std::isnan(s[r]), r == 1 || r == 2);
    for (int64_t i = k; i < 3 * k; ++i) ASSERT_EQ(codes[i], 0);
  }
}

TEST_P(RowsGpu, NoRowsIsNothing) {
  const RowTarget to{nullptr, nullptr, true, nullptr};
  rms_norm_rows(nullptr, nullptr, nullptr, kEps, GetParam(), 0, 8, nullptr, to, nullptr);
  layer_norm_rows(nullptr, nullptr, nullptr, nullptr, kEps, GetParam(), 0, 8, nullptr, to, nullptr);
  gate_rows(RowActivation::kSilu, nullptr, GetParam(), 0, 8, to, nullptr);
  activate_rows(RowActivation::kGelu, nullptr, GetParam(), 0, 8, to, nullptr);
}

}  // namespace
}  // namespace octet::cuda
