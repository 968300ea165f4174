// The CUDA kernels against the naive references, in every element type.
#include "kernels/cuda/kernels.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/kernels/on_device.h"

namespace octet::cuda {
namespace {

std::vector<int8_t> codes(int64_t count) {
  const Random random(3, "cuda_test codes");
  std::vector<int8_t> q(count);
  for (int64_t i = 0; i < count; ++i) q[i] = static_cast<int8_t>(random.bits(i));
  return q;
}

class KernelsGpu : public TypedGpu {};
INSTANTIATE_TEST_SUITE_P(Types, KernelsGpu, testing::Values(Dtype::kF32, Dtype::kF16, Dtype::kBF16),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(KernelsGpu, QuantizeRows) {
  std::vector<std::pair<int64_t, int64_t>> shapes;
  for (int64_t k : {1, 2, 31, 32, 33, 257, 576, 1024, 1032, 4096, 14336, 16392, 32768, 32776}) {
    shapes.emplace_back(9, k);
  }
  // Rows enough for other cuts, and for more than one to a warp or block.
  for (const auto& shape : {std::pair<int64_t, int64_t>{140, 576}, {140, 4096}, {140, 14336}}) {
    shapes.push_back(shape);
  }
  for (const auto& shape : {std::pair<int64_t, int64_t>{20'000, 64}, {3000, 1032}, {530, 8200}}) {
    shapes.push_back(shape);
  }
  for (const auto& [rows, k] : shapes) {
    std::vector<float> x = normals(rows * k, k);
    std::fill_n(x.begin() + k, k, 0.0f);
    x[3 * k] = kNan;
    x[4 * k + k - 1] = -kInf;
    // Whole codes and a half: every element is near a tie.
    for (int64_t j = 0; j < k; ++j) x[5 * k + j] = static_cast<float>(j % 127) + 0.5f;
    x[5 * k] = 127.0f;
    for (int64_t j = 0; j < k; ++j) {
      x[6 * k + j] *= 1e-36f;
      x[7 * k + j] = static_cast<float>(j % 256) * 0x1p-149f;  // 255 / 2 is a tie beyond the codes
      x[8 * k + j] *= 1e33f;
    }
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const OnDevice<int8_t> dq(std::vector<int8_t>(rows * k, 99));
    const OnDevice<float> ds(std::vector<float>(rows, 99.0f));
    quantize_rows(dx.get(), GetParam(), rows, k, dq.get(), ds.get(), nullptr);
    std::vector<int8_t> q(rows * k);
    std::vector<float> s(rows);
    reference::quantize_rows(rounded(x, GetParam()).data(), rows, k, q.data(), s.data());
    EXPECT_TRUE(dq.host() == q) << rows << " x " << k;
    const std::vector<float> scale = ds.host();
    for (int64_t r = 0; r < rows; ++r) {
      EXPECT_TRUE(std::isnan(s[r]) ? std::isnan(scale[r]) : scale[r] == s[r]) << r;
    }
  }
}

TEST_P(KernelsGpu, QuantizeTensor) {
  for (int64_t count : {1, 33, 64, 100'003}) {
    std::vector<float> x = normals(count, 2);
    x[0] = 1e4f;
    if (count > 1) x[1] = -kInf, x[2] = kNan;
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const std::vector<float> held = rounded(x, GetParam());
    // Many exact halves; ordinary scales; some without a normal reciprocal; none.
    for (float scale :
         {0.015625f, 0.0123f, -0.0123f, 0x1p-130f, 0x1p-149f, 1e36f, 0.0f, kInf, kNan}) {
      const OnDevice<int8_t> dq(std::vector<int8_t>(count, 99));
      const OnDevice<float> ds(std::vector<float>{scale});
      quantize_tensor(dx.get(), GetParam(), count, ds.get(), dq.get(), nullptr);
      const std::vector<int8_t> q = dq.host();
      for (int64_t i = 0; i < count; ++i) ASSERT_EQ(q[i], reference::code(held[i], scale)) << i;
    }
  }
}

/// Every float around every tie of a few scales: a product with the reciprocal alone would err.
TEST_P(KernelsGpu, CodesAroundTies) {
  std::vector<float> x;
  for (float scale : {0.0123f, 1.0f / 3.0f, 7.77f}) {
    x.clear();
    for (int n = -128; n < 128; ++n) {
      float v = (static_cast<float>(n) + 0.5f) * scale;
      for (int i = 0; i < 8; ++i) v = std::nextafter(v, -kInf);
      for (int i = 0; i < 16; ++i) x.push_back(v = std::nextafter(v, kInf));
    }
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const OnDevice<int8_t> dq(std::vector<int8_t>(x.size(), 99));
    const OnDevice<float> ds(std::vector<float>{scale});
    const auto count = static_cast<int64_t>(x.size());
    quantize_tensor(dx.get(), GetParam(), count, ds.get(), dq.get(), nullptr);
    const std::vector<int8_t> q = dq.host();
    const std::vector<float> held = rounded(x, GetParam());
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(q[i], reference::code(held[i], scale)) << held[i];
  }
}

TEST_P(KernelsGpu, Dequantize) {
  const int64_t m = 5, n = 67, ld = 72;
  const std::vector<float> row = normals(m, 1), column = normals(n, 2), bias = normals(n, 3);
  std::vector<int32_t> acc(m * ld);
  for (size_t i = 0; i < acc.size(); ++i) acc[i] = static_cast<int32_t>(i * 7919) - 1'000'000;
  const OnDevice<int32_t> dacc(acc);
  const OnDevice<float> drow(row), dcolumn(column);
  const OnDevice<uint8_t> dbias(encode(bias, GetParam())), dy(room_for(m * n));
  for (bool per_row : {true, false}) {
    for (bool with_bias : {true, false}) {
      dequantize(dacc.get(), ld, m, n, drow.get(), per_row, dcolumn.get(),
                 with_bias ? dbias.get() : nullptr, GetParam(), dy.get(), nullptr);
      std::vector<float> expected(m * n);
      for (int64_t i = 0; i < m * n; ++i) {
        const float v = static_cast<float>(acc[i / n * ld + i % n]) * row[per_row ? i / n : 0];
        expected[i] = v * column[i % n];
        if (with_bias) expected[i] += rounded(bias, GetParam())[i % n];
      }
      EXPECT_EQ(dy.host(), encode(expected, GetParam()));
    }
  }
}

TEST_P(KernelsGpu, DequantizeRows) {
  const int64_t rows = 7, k = 129;
  const std::vector<int8_t> q = codes(rows * k);
  const std::vector<float> scale = normals(rows, 5);
  const OnDevice<int8_t> dq(q);
  const OnDevice<float> ds(scale);
  const OnDevice<uint8_t> dy(room_for(rows * k));
  widen_int8_rows(dq.get(), ds.get(), rows, k, GetParam(), dy.get(), nullptr);
  std::vector<float> expected(rows * k);
  for (int64_t i = 0; i < rows * k; ++i) expected[i] = static_cast<float>(q[i]) * scale[i / k];
  EXPECT_EQ(dy.host(), encode(expected, GetParam()));
}

TEST_P(KernelsGpu, SmallMLinear) {
  for (int64_t k : {1, 15, 16, 576, 1000}) {
    for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 8}) {
      const int64_t n = 37;
      const std::vector<int8_t> q = codes(n * k);
      const std::vector<float> scale = normals(n, 5), x = normals(m * k, 6), bias = normals(n, 7);
      const OnDevice<int8_t> dq(q);
      const OnDevice<float> ds(scale);
      const OnDevice<uint8_t> dx(encode(x, GetParam())), db(encode(bias, GetParam())),
          dy(room_for(m * n));
      w8a16_gemv(dq.get(), ds.get(), m % 2 ? db.get() : nullptr, dx.get(), GetParam(), m, n, k,
                 dy.get(), nullptr);
      const std::vector<float> y = decode(dy.host(), GetParam());
      const std::vector<float> held = rounded(x, GetParam()), held_bias = rounded(bias, GetParam());
      // Half an ulp of the output type, and k / 32 + 5 additions in float32.
      const double ulp = GetParam() == Dtype::kF32   ? 0x1p-24
                         : GetParam() == Dtype::kF16 ? 0x1p-11
                                                     : 0x1p-8;
      for (int64_t i = 0; i < m * n; ++i) {
        double sum = m % 2 ? held_bias[i % n] : 0, size = std::abs(sum);
        for (int64_t j = 0; j < k; ++j) {
          const double term = double{held[i / n * k + j]} * q[i % n * k + j] * scale[i % n];
          sum += term;
          size += std::abs(term);
        }
        const double bound = std::abs(sum) * ulp + size * (k / 32.0 + 24) * 0x1p-24;
        ASSERT_NEAR(y[i], sum, bound) << m << " " << k << " " << i;
      }
    }
  }
}

TEST_P(KernelsGpu, MoreThanSmallMIsRefused) {
  EXPECT_THROW(
      w8a16_gemv(nullptr, nullptr, nullptr, nullptr, GetParam(), 9, 1, 1, nullptr, nullptr), Error);
}

TEST_P(KernelsGpu, ChannelAbsmax) {
  for (const auto& [rows, k] :
       std::vector<std::pair<int64_t, int64_t>>{{300, 301}, {300, 304}, {1001, 4104}, {9, 8}}) {
    std::vector<float> x = normals(rows * k, 8);
    x[7 * k + 5] = kNan;
    x[8 * k + 6] = -kInf;
    std::vector<float> absmax(k, 0.0f);
    absmax[2] = 1000.0f;
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const OnDevice<float> dmax(absmax);
    channel_absmax(dx.get(), GetParam(), rows, k, dmax.get(), nullptr);
    const std::vector<float> held = rounded(x, GetParam()), got = dmax.host();
    for (int64_t j = 0; j < k; ++j) {
      if (j == 5) {
        EXPECT_TRUE(std::isnan(got[j]));
        continue;
      }
      for (int64_t r = 0; r < rows; ++r) absmax[j] = std::max(absmax[j], std::abs(held[r * k + j]));
      ASSERT_EQ(got[j], absmax[j]) << j;
    }
  }
}

TEST_P(KernelsGpu, Histogram) {
  // 16 copies, one, none in shared memory; powers of two, other widths, and such as are divided by.
  for (int64_t bins : {1, 1024, 2048, 20'000, 100'000}) {
    for (float width : {0x1p-9f, 0.003f, 1.0f / 3.0f, 0x1p-149f, 1e-35f, 0x1p104f}) {
      std::vector<float> x = normals(100'003, 9);
      for (size_t i = 0; i < x.size(); i += 3) x[i] = i % 2 == 0 ? 0.0f : -0.0f;
      x[1] = kInf, x[2] = kNan, x[4] = -6e-8f, x[5] = 0x1p-149f, x[7] = 0x1p-133f;
      for (size_t i = 10; i < 4000; i += 3) {  // edges of bins, and what lies right below
        x[i] = width * static_cast<float>(i);
        x[i + 1] = std::nextafter(x[i], 0.0f);
      }
      std::vector<int64_t> counts(bins, 5);
      int64_t zeros = 11;
      const OnDevice<uint8_t> dx(encode(x, GetParam()));
      const OnDevice<int64_t> dcounts(counts), dzeros(std::vector<int64_t>{zeros});
      histogram(dx.get(), GetParam(), static_cast<int64_t>(x.size()), width, dcounts.get(), bins,
                dzeros.get(), nullptr);
      for (float v : rounded(x, GetParam())) {
        const float quotient = std::abs(v) / width;
        if (v == 0) {
          ++zeros;
        } else {
          ++counts[quotient < static_cast<float>(bins) ? static_cast<int64_t>(quotient) : bins - 1];
        }
      }
      EXPECT_EQ(dcounts.host(), counts) << bins << " of " << width;
      EXPECT_EQ(dzeros.host()[0], zeros);
    }
  }
}

TEST_P(KernelsGpu, NoRowsIsNothing) {
  quantize_rows(nullptr, GetParam(), 0, 8, nullptr, nullptr, nullptr);
  quantize_tensor(nullptr, GetParam(), 0, nullptr, nullptr, nullptr);
  dequantize(nullptr, 8, 0, 8, nullptr, true, nullptr, nullptr, GetParam(), nullptr, nullptr);
  widen_int8_rows(nullptr, nullptr, 0, 8, GetParam(), nullptr, nullptr);
  w8a16_gemv(nullptr, nullptr, nullptr, nullptr, GetParam(), 0, 8, 8, nullptr, nullptr);
  channel_absmax(nullptr, GetParam(), 0, 8, nullptr, nullptr);
  histogram(nullptr, GetParam(), 0, 1.0f, nullptr, 8, nullptr, nullptr);
}

}  // namespace
}  // namespace octet::cuda
