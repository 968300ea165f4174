// The passes of fake-quantization on the device against the naive references.
#include "kernels/cuda/rows/fake_quant.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/kernels/on_device.h"

namespace octet::cuda {
namespace {

constexpr Dtype kTypes[] = {Dtype::kF32, Dtype::kF16, Dtype::kBF16};

class FakeQuantGpu : public TypedGpu {};
INSTANTIATE_TEST_SUITE_P(Types, FakeQuantGpu, testing::ValuesIn(kTypes),
                         [](const auto& info) { return name_of(info.param); });

struct Shape {
  int64_t n, k, groups;
};

TEST_P(FakeQuantGpu, Weights) {
  for (const Shape& shape : {Shape{1, 1, 1},
                             {3, 64, 2},
                             {5, 96, 8},
                             {7, 130, 2},
                             {33, 1024, 8},
                             {0, 8, 1},
                             {2, 33, 1}}) {
    for (const Dtype element : {Dtype::kI8, Dtype::kI4}) {
      const int64_t count = shape.n * shape.k, group = shape.k / shape.groups;
      const bool wide = element == Dtype::kI8;
      const float top = wide ? 127.0f : 7.0f, low = wide ? -127.0f : -8.0f;
      const std::vector<float> x = normals(count, 1);
      std::vector<float> scales = normals(shape.n * shape.groups, 2);
      for (float& s : scales) s = (std::abs(s) + 0.5f) * 1.5f / top;  // some codes are clamped
      std::vector<float> values(count);
      std::vector<uint8_t> inside(count);
      for (int64_t i = 0; i < count; ++i) {
        const float s = scales[i / group], step = std::nearbyint(x[i] / s);
        inside[i] = step >= low && step <= top;
        values[i] = std::clamp(step, low, top) * s;
      }
      const OnDevice<float> dx(x), ds(scales);
      const OnDevice<uint8_t> dv(room_for(count)), di(std::vector<uint8_t>(count, 9));
      fake_quant_weights(dx.get(), ds.get(), shape.n, shape.k, shape.groups, element, GetParam(),
                         dv.get(), di.get(), nullptr);
      EXPECT_EQ(dv.host(), encode(values, GetParam())) << shape.n << " x " << shape.k;
      EXPECT_EQ(di.host(), inside) << shape.n << " x " << shape.k;
    }
  }
}

TEST_P(FakeQuantGpu, WeightsInUnevenGroupsAreRefused) {
  EXPECT_THROW(fake_quant_weights(nullptr, nullptr, 1, 10, 3, Dtype::kI8, GetParam(), nullptr,
                                  nullptr, nullptr),
               Error);
}

TEST_P(FakeQuantGpu, ElementsWithoutCodesOrInstancesAreRefused) {
  EXPECT_THROW(fake_quant_weights(nullptr, nullptr, 1, 8, 1, Dtype::kF8E4M3, GetParam(), nullptr,
                                  nullptr, nullptr),
               Error);
  EXPECT_THROW(fake_quant_weights(nullptr, nullptr, 1, 8, 1, Dtype::kI8, Dtype::kF64, nullptr,
                                  nullptr, nullptr),
               Error);
}

TEST_P(FakeQuantGpu, MaskGradient) {
  for (int64_t count : {1, 8, 4099}) {
    std::vector<float> x = rounded(normals(count, 1), GetParam());
    std::vector<uint8_t> inside(count);
    const Random random(5, "inside");
    for (int64_t i = 0; i < count; ++i) inside[i] = random.bits(i) % 3 != 0;
    x[0] = kNan, inside[0] = 0;
    std::vector<float> expected(count);
    for (int64_t i = 0; i < count; ++i) expected[i] = inside[i] ? x[i] : 0.0f;
    const OnDevice<uint8_t> dx(encode(x, GetParam())), di(inside);
    const OnDevice<float> out(std::vector<float>(count, 9.0f));
    mask_gradient(dx.get(), GetParam(), di.get(), count, out.get(), nullptr);
    EXPECT_EQ(out.host(), expected);
    if (GetParam() != Dtype::kF32) continue;
    mask_gradient(dx.get(), GetParam(), di.get(), count, reinterpret_cast<float*>(dx.get()),
                  nullptr);
    EXPECT_EQ(decode(dx.host(), GetParam()), expected);
  }
}

TEST_P(FakeQuantGpu, Rows) {
  for (int64_t k : {1, 31, 64, 576, 1032, 4096, 16392, 32776}) {
    const int64_t rows = 5;
    std::vector<float> x = normals(rows * k, k);
    std::fill_n(x.begin() + k, k, 0.0f);
    x[3 * k] = kInf;
    x = rounded(x, GetParam());
    std::vector<int8_t> q(rows * k);
    std::vector<float> scale(rows);
    reference::quantize_rows(x.data(), rows, k, q.data(), scale.data());
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    for (Dtype to : kTypes) {
      const OnDevice<uint8_t> out(std::vector<uint8_t>(rows * k * bytes_of(to)));
      const OnDevice<float> ds(std::vector<float>(rows, 9.0f));
      fake_quant_rows(dx.get(), GetParam(), rows, k, to, out.get(), ds.get(), nullptr);
      const std::vector<float> y = decode(out.host(), to), s = ds.host();
      std::vector<float> expected(rows * k);
      for (int64_t i = 0; i < rows * k; ++i) expected[i] = scale[i / k] * static_cast<float>(q[i]);
      expected = rounded(expected, to);
      for (int64_t i = 0; i < rows * k; ++i) {
        if (i / k == 3) {
          ASSERT_TRUE(std::isnan(y[i])) << i;
        } else {
          ASSERT_EQ(y[i], expected[i]) << i << " " << k;
        }
      }
      for (int64_t r = 0; r < rows; ++r) EXPECT_TRUE(r == 3 ? std::isnan(s[r]) : s[r] == scale[r]);
    }
    fake_quant_rows(dx.get(), GetParam(), rows, k, GetParam(), dx.get(), nullptr, nullptr);
    EXPECT_TRUE(std::isnan(decode(dx.host(), GetParam())[3 * k]));
  }
}

TEST_P(FakeQuantGpu, Tensor) {
  for (int64_t count : {1, 16, 10'001}) {
    std::vector<float> x = normals(count, 3);
    x[0] = 1e4f;
    x = rounded(x, GetParam());
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const OnDevice<float> ds(std::vector<float>{0.0123f});
    for (Dtype to : kTypes) {
      const OnDevice<uint8_t> out(std::vector<uint8_t>(count * bytes_of(to)));
      fake_quant_tensor(dx.get(), GetParam(), count, ds.get(), to, out.get(), nullptr);
      std::vector<float> expected(count);
      for (int64_t i = 0; i < count; ++i) {
        expected[i] = 0.0123f * static_cast<float>(reference::code(x[i], 0.0123f));
      }
      EXPECT_EQ(out.host(), encode(expected, to));
    }
  }
}

TEST_P(FakeQuantGpu, MaskBeyond) {
  for (int64_t count : {3, 8, 10'001}) {
    std::vector<float> x = normals(count, 3), gradient = rounded(normals(count, 4), GetParam());
    x[0] = 1.5f, x[1] = -1.5f, x[2] = kNan;
    x = rounded(x, GetParam());
    const OnDevice<uint8_t> dx(encode(x, GetParam())), dg(encode(gradient, GetParam()));
    mask_beyond(dx.get(), GetParam(), 1.5f, count, dg.get(), nullptr);
    for (int64_t i = 0; i < count; ++i) {
      if (x[i] >= 1.5f || x[i] <= -1.5f) gradient[i] = 0;
    }
    EXPECT_EQ(decode(dg.host(), GetParam()), gradient);
  }
}

TEST_P(FakeQuantGpu, NothingIsNothing) {
  fake_quant_rows(nullptr, GetParam(), 0, 8, Dtype::kF32, nullptr, nullptr, nullptr);
  fake_quant_tensor(nullptr, GetParam(), 0, nullptr, Dtype::kF32, nullptr, nullptr);
  mask_gradient(nullptr, GetParam(), nullptr, 0, nullptr, nullptr);
  mask_beyond(nullptr, GetParam(), 1.0f, 0, nullptr, nullptr);
}

}  // namespace
}  // namespace octet::cuda
