// The kernels for few rows against sums in double, in every element type.
#include "kernels/cuda/gemm/small_m.h"

#include <gtest/gtest.h>

#include <tuple>

#include "core/error.h"
#include "core/random.h"
#include "tests/kernels/on_device.h"

namespace octet::cuda {
namespace {

struct Size {
  int64_t n, k;
};
/// The fast paths with whole and broken tiles, one and two tiles of weights a block, 4 and 8 warps,
/// rings that turn and tiles of 128 rows; then what only the plain kernels take.
const Size kSizes[] = {{16, 64},  {1, 16},    {37, 576},    {48, 4096},  {100, 1056},  {2050, 320},
                       {33, 160}, {17, 2080}, {40, 12'832}, {208, 1040}, {17'000, 80}, {4400, 288},
                       {5, 1},    {21, 15},   {19, 1000},   {3, 33}};
const int64_t kRows[] = {1, 2, 7, 8, 9, 16, 17, 33, 64};

std::vector<int8_t> codes(int64_t count, uint64_t seed, int low, int high) {
  const Random random(seed, "cuda_small_m_test codes");
  std::vector<int8_t> q(count);
  for (int64_t i = 0; i < count; ++i) {
    q[i] = static_cast<int8_t>(low + static_cast<int>(random.below(i, high - low + 1)));
  }
  return q;
}

/// Scales that keep sums inside half's range.
std::vector<float> scales(int64_t count) {
  std::vector<float> x = normals(count, 4);
  for (float& v : x) v *= 0x1p-6f;
  return x;
}

/// Some columns of all rows are enough where there are many.
int64_t step_of(const Size& size, int64_t m) {
  return std::max<int64_t>(1, m * size.n * size.k / 3'000'000);
}

class SmallMGpu : public TypedGpu {
 protected:
  static std::vector<uint8_t> room_for(int64_t count) {
    return std::vector<uint8_t>(static_cast<size_t>(count) * bytes_of(GetParam()), 0xa5);
  }
  /// Half an ulp of the output type, and float32 sums over k of what adds up to `size`.
  static double bound(double sum, double size, int64_t k) {
    const double least = GetParam() == Dtype::kF16 ? 0x1p-25 : 0.0;  // of a subnormal half
    return std::abs(sum) * half_ulp(GetParam()) + least +
           size * (static_cast<double>(k) / 8 + 64) * 0x1p-24;
  }
};
INSTANTIATE_TEST_SUITE_P(Types, SmallMGpu, testing::Values(Dtype::kF32, Dtype::kF16, Dtype::kBF16),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(SmallMGpu, Int8) {
  for (const Size& size : kSizes) {
    for (int64_t m : kRows) {
      const auto [n, k] = size;
      std::vector<int8_t> q = codes(m * k, 1, -128, 127), w = codes(n * k, 2, -128, 127);
      std::fill_n(q.begin(), k, int8_t{-128});  // the largest sums there are
      std::fill_n(w.begin(), k, int8_t{-128});
      const std::vector<float> row = normals(m, 3), column = normals(n, 4), bias = normals(n, 5);
      const std::vector<float> held_bias = rounded(bias, GetParam());
      const OnDevice<int8_t> dq(q), dw(w);
      const OnDevice<float> drow(row), dcolumn(column);
      const OnDevice<uint8_t> dbias(encode(bias, GetParam())), dy(room_for(m * n));
      for (bool flag : {false, true}) {  // bias, a scale a row, and overlapping launches
        w8a8_small_m(dq.get(), drow.get(), flag, dw.get(), dcolumn.get(),
                     flag ? dbias.get() : nullptr, GetParam(), m, n, k, dy.get(), nullptr, flag);
        const std::vector<float> y = decode(dy.host(), GetParam());
        for (int64_t i = 0; i < m * n; i += step_of(size, m)) {
          const int64_t sum = reference::dot(&q[i / n * k], &w[i % n * k], k);
          float v = static_cast<float>(sum) * row[flag ? i / n : 0];
          v = v * column[i % n];
          if (flag) v = v + held_bias[i % n];
          ASSERT_EQ(y[i], rounded({v}, GetParam())[0]) << m << " " << n << " " << k << " " << i;
        }
      }
    }
  }
}

TEST_P(SmallMGpu, Int8Widened) {
  for (const Size& size : kSizes) {
    for (int64_t m : kRows) {
      const auto [n, k] = size;
      const std::vector<int8_t> w = codes(n * k, 2, -128, 127);
      const std::vector<float> x = normals(m * k, 3), scale = scales(n), bias = normals(n, 5);
      const std::vector<float> held = rounded(x, GetParam()), held_bias = rounded(bias, GetParam());
      const OnDevice<int8_t> dw(w);
      const OnDevice<float> dscale(scale);
      const OnDevice<uint8_t> dx(encode(x, GetParam())), dbias(encode(bias, GetParam())),
          dy(room_for(m * n));
      const bool flag = m % 2;
      w8a16_small_m(dx.get(), dw.get(), dscale.get(), flag ? dbias.get() : nullptr, GetParam(), m,
                    n, k, dy.get(), nullptr, flag);
      const std::vector<float> y = decode(dy.host(), GetParam());
      for (int64_t i = 0; i < m * n; i += step_of(size, m)) {
        double sum = 0, all = 0;
        for (int64_t j = 0; j < k; ++j) {
          const double term = double{held[i / n * k + j]} * w[i % n * k + j] * scale[i % n];
          sum += term;
          all += std::abs(term);
        }
        if (flag) sum += held_bias[i % n], all += std::abs(held_bias[i % n]);
        ASSERT_NEAR(y[i], sum, bound(sum, all, k)) << m << " " << n << " " << k << " " << i;
      }
    }
  }
}

void check_int4(const Size& size, int64_t m, int64_t group, Dtype type, Dtype scale_type,
                double (*bound)(double, double, int64_t)) {
  const auto [n, k] = size;
  const int64_t groups = (k + group - 1) / group;
  const std::vector<int8_t> w = codes(n * k, 2, -8, 7);
  const std::vector<float> x = normals(m * k, 3), scale = scales(n * groups);
  const std::vector<float> bias = normals(n, 5), held = rounded(x, type);
  const std::vector<float> held_bias = rounded(bias, type), held_scale = rounded(scale, scale_type);
  const OnDevice<int8_t> dw(w);
  const OnDevice<float> dscale(scale);
  const OnDevice<uint8_t> dx(encode(x, type)), dbias(encode(bias, type));
  const OnDevice<uint8_t> dy(std::vector<uint8_t>(m * n * (type == Dtype::kF32 ? 4 : 2), 0xa5));
  const OnDevice<uint8_t> packed(std::vector<uint8_t>(packed_w4_bytes(n, k)));
  const OnDevice<float> packed_scale(std::vector<float>(packed_w4_scales(n, k, group), kInf));
  pack_w4(dw.get(), dscale.get(), n, k, group, scale_type, packed.get(), packed_scale.get(),
          nullptr);
  const bool flag = m % 2;
  w4a16_small_m(dx.get(), packed.get(), packed_scale.get(), scale_type, group,
                flag ? dbias.get() : nullptr, type, m, n, k, dy.get(), nullptr, flag);
  const std::vector<float> y = decode(dy.host(), type);
  for (int64_t i = 0; i < m * n; i += step_of(size, m)) {
    double sum = 0, all = 0;
    for (int64_t j = 0; j < k; ++j) {
      const double term =
          double{held[i / n * k + j]} * w[i % n * k + j] * held_scale[i % n * groups + j / group];
      sum += term;
      all += std::abs(term);
    }
    if (flag) sum += held_bias[i % n], all += std::abs(held_bias[i % n]);
    ASSERT_NEAR(y[i], sum, bound(sum, all, k))
        << m << " " << n << " " << k << " " << group << " " << i;
  }
}

TEST_P(SmallMGpu, Int4) {
  for (const Size& size : kSizes) {
    for (int64_t m : kRows) {
      for (int64_t group : {32, 64, 128, 48, 1024}) {
        if (group != 32 && m != 1 && m != 9 && m != 64) continue;
        for (Dtype scale_type : {Dtype::kF32, GetParam()}) {
          check_int4(size, m, group, GetParam(), scale_type, bound);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(SmallMGpu, Int4Unpacked) {
  for (const auto& [n, k, group] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {40, 256, 128}, {33, 200, 40}, {17, 131, 131}}) {
    const int64_t groups = (k + group - 1) / group;
    const std::vector<int8_t> w = codes(n * k, 2, -8, 7);
    const std::vector<float> scale = scales(n * groups);
    const OnDevice<int8_t> dw(w);
    const OnDevice<float> dscale(scale);
    const OnDevice<uint8_t> packed(std::vector<uint8_t>(packed_w4_bytes(n, k)));
    const OnDevice<float> packed_scale(std::vector<float>(packed_w4_scales(n, k, group)));
    pack_w4(dw.get(), dscale.get(), n, k, group, Dtype::kF32, packed.get(), packed_scale.get(),
            nullptr);
    for (const auto& [first, rows] :
         std::vector<std::pair<int64_t, int64_t>>{{0, n}, {0, 5}, {7, 10}, {16, n - 16}}) {
      const OnDevice<uint8_t> out(room_for(rows * k));
      unpack_w4(packed.get(), packed_scale.get(), Dtype::kF32, group, first, rows, k, GetParam(),
                out.get(), nullptr);
      const std::vector<float> got = decode(out.host(), GetParam());
      for (int64_t i = 0; i < rows * k; ++i) {
        const int64_t row = first + i / k, j = i % k;
        const float value = scale[row * groups + j / group] * static_cast<float>(w[row * k + j]);
        ASSERT_EQ(got[i], rounded({value}, GetParam())[0])
            << n << " " << k << " " << row << " " << j;
      }
    }
  }
}

/// Inf and NaN reach the tokens they stand in and no other, also where k and m are padded.
TEST_P(SmallMGpu, NotFiniteStaysInItsToken) {
  for (const auto& [m, n, group] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {3, 20, 32}, {12, 20, 32}, {12, 24, 128}}) {
    const int64_t k = 96, groups = (k + group - 1) / group;
    std::vector<float> x(m * k, 1.0f);
    x[1 * k + 95] = kInf;
    x[2 * k] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<int8_t> w(n * k, 1);
    const OnDevice<int8_t> dw(w);
    const OnDevice<float> dscale(std::vector<float>(n * groups, 1.0f));
    const OnDevice<uint8_t> dx(encode(x, GetParam())), dy(room_for(m * n));
    const OnDevice<uint8_t> packed(std::vector<uint8_t>(packed_w4_bytes(n, k)));
    const OnDevice<float> packed_scale(std::vector<float>(packed_w4_scales(n, k, group)));
    pack_w4(dw.get(), dscale.get(), n, k, group, Dtype::kF32, packed.get(), packed_scale.get(),
            nullptr);
    for (bool int4 : {false, true}) {
      if (int4) {
        w4a16_small_m(dx.get(), packed.get(), packed_scale.get(), Dtype::kF32, group, nullptr,
                      GetParam(), m, n, k, dy.get(), nullptr);
      } else {
        w8a16_small_m(dx.get(), dw.get(), dscale.get(), nullptr, GetParam(), m, n, k, dy.get(),
                      nullptr);
      }
      const std::vector<float> y = decode(dy.host(), GetParam());
      for (int64_t i = 0; i < m * n; ++i) {
        const int64_t token = i / n;
        ASSERT_TRUE(token == 1   ? y[i] == kInf
                    : token == 2 ? std::isnan(y[i])
                                 : y[i] == 96.0f)
            << i << " " << y[i];
      }
    }
  }
}

/// A NaN scale of a row (kernels/cpu/rows/quantize.h) stays visible; zero rows give the bias.
TEST_P(SmallMGpu, RowScales) {
  const int64_t m = 3, n = 20, k = 64;
  std::vector<int8_t> q = codes(m * k, 1, -127, 127);
  std::fill_n(q.begin() + k, 2 * k, int8_t{0});
  const OnDevice<int8_t> dq(q), dw(codes(n * k, 2, -127, 127));
  const OnDevice<float> drow(std::vector<float>{1.0f, 1.0f, std::nanf("")});
  const OnDevice<float> dcolumn(std::vector<float>(n, 1.0f));
  const OnDevice<uint8_t> dbias(encode(std::vector<float>(n, 0.5f), GetParam())),
      dy(room_for(m * n));
  w8a8_small_m(dq.get(), drow.get(), true, dw.get(), dcolumn.get(), dbias.get(), GetParam(), m, n,
               k, dy.get(), nullptr);
  const std::vector<float> y = decode(dy.host(), GetParam());
  for (int64_t j = 0; j < n; ++j) {
    EXPECT_EQ(y[n + j], 0.5f);
    EXPECT_TRUE(std::isnan(y[2 * n + j]));
  }
}

/// Quantization and linear in one stream, the linear beginning early, again and again: the codes of
/// each round, not of the one before.
TEST_P(SmallMGpu, OverlappingReadsWhatItsPredecessorWrote) {
  const int64_t m = 8, n = 4096, k = 1024, rounds = 20;
  const std::vector<int8_t> w(n * k, 1);
  const OnDevice<int8_t> dw(w), dq(std::vector<int8_t>(m * k));
  const OnDevice<float> drow(std::vector<float>(m, 0.0f)), dcolumn(std::vector<float>(n, 1.0f));
  std::vector<float> x;
  for (int64_t r = 0; r < rounds; ++r) x.insert(x.end(), m * k, static_cast<float>(r + 1) * 0.25f);
  const OnDevice<uint8_t> dx(encode(x, GetParam())), dy(room_for(rounds * m * n));
  const int64_t bytes = GetParam() == Dtype::kF32 ? 4 : 2;
  for (int64_t r = 0; r < rounds; ++r) {
    quantize_rows(dx.get() + r * m * k * bytes, GetParam(), m, k, dq.get(), drow.get(), nullptr);
    w8a8_small_m(dq.get(), drow.get(), true, dw.get(), dcolumn.get(), nullptr, GetParam(), m, n, k,
                 dy.get() + r * m * n * bytes, nullptr, true);
  }
  const std::vector<float> y = decode(dy.host(), GetParam());
  for (int64_t i = 0; i < rounds * m * n; i += 97) {
    const int64_t round = i / (m * n);
    const float value = static_cast<float>(round + 1) * 0.25f;
    const float expected = static_cast<float>(127 * k) * (value / 127.0f);
    ASSERT_EQ(y[i], rounded({expected}, GetParam())[0]) << i;
  }
}

TEST_P(SmallMGpu, SameBitsAgain) {
  const int64_t m = 16, n = 320, k = 4096;
  const OnDevice<int8_t> dw(codes(n * k, 1, -128, 127));
  const OnDevice<float> dscale(normals(n, 2));
  const OnDevice<uint8_t> dx(encode(normals(m * k, 3), GetParam())), dy(room_for(m * n));
  std::vector<uint8_t> first;
  for (int i = 0; i < 20; ++i) {
    w8a16_small_m(dx.get(), dw.get(), dscale.get(), nullptr, GetParam(), m, n, k, dy.get(),
                  nullptr);
    if (i == 0) first = dy.host();
    ASSERT_EQ(dy.host(), first);
  }
}

TEST_P(SmallMGpu, NoRowsIsNothing) {
  const Dtype type = GetParam();
  w8a8_small_m(nullptr, nullptr, true, nullptr, nullptr, nullptr, type, 0, 8, 8, nullptr, nullptr);
  w8a16_small_m(nullptr, nullptr, nullptr, nullptr, type, 0, 8, 8, nullptr, nullptr);
  w4a16_small_m(nullptr, nullptr, nullptr, type, 32, nullptr, type, 0, 8, 8, nullptr, nullptr);
  pack_w4(nullptr, nullptr, 0, 8, 32, type, nullptr, nullptr, nullptr);
}

TEST_P(SmallMGpu, Refuses) {
  const Dtype type = GetParam(), other = type == Dtype::kF16 ? Dtype::kBF16 : Dtype::kF16;
  const int64_t m = kSmallMMost + 1;
  EXPECT_THROW(w8a8_small_m(nullptr, nullptr, true, nullptr, nullptr, nullptr, type, m, 1, 1,
                            nullptr, nullptr),
               Error);
  EXPECT_THROW(w8a16_small_m(nullptr, nullptr, nullptr, nullptr, type, m, 1, 1, nullptr, nullptr),
               Error);
  EXPECT_THROW(
      w4a16_small_m(nullptr, nullptr, nullptr, type, 32, nullptr, type, m, 1, 1, nullptr, nullptr),
      Error);
  EXPECT_THROW(
      w4a16_small_m(nullptr, nullptr, nullptr, other, 32, nullptr, type, 1, 1, 1, nullptr, nullptr),
      Error);
}

}  // namespace
}  // namespace octet::cuda
