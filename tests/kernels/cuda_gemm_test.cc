// Every tile config of the INT8 GEMM, bit by bit, and the choice among them.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "core/random.h"
#include "kernels/cuda/gemm/autotuner.h"
#include "tests/kernels/on_device.h"

namespace octet::cuda {
namespace {

namespace fs = std::filesystem;

struct Operands {
  int64_t m, n, k;
  std::vector<int8_t> x, w;
  std::vector<float> row, column, bias;
};

std::vector<int8_t> codes(int64_t count, uint64_t seed) {
  const Random random(seed, "cuda_gemm_test");
  std::vector<int8_t> q(count);
  for (int64_t i = 0; i < count; ++i)
    q[i] = static_cast<int8_t>(static_cast<int>(random.below(i, 255)) - 127);
  return q;
}

Operands operands(int64_t m, int64_t n, int64_t k) {
  Operands o{
      m, n, k, codes(m * k, 1), codes(n * k, 2), normals(m, 3), normals(n, 4), normals(n, 5)};
  for (float& v : o.column) v *= 0x1p-12f;
  if (m > 1) std::fill_n(o.x.begin(), k, int8_t{127});  // the largest sums
  if (m > 1 && n > 1) std::fill_n(o.w.begin(), k, int8_t{127});
  if (m > 2) std::fill_n(o.x.begin() + k, k, int8_t{0});  // a row of zeros
  return o;
}

std::vector<float> expected(const Operands& o, bool per_row, bool bias) {
  std::vector<float> y(o.m * o.n);
  for (int64_t i = 0; i < o.m * o.n; ++i) {
    int32_t sum = 0;
    const int8_t *x = &o.x[i / o.n * o.k], *w = &o.w[i % o.n * o.k];
    for (int64_t j = 0; j < o.k; ++j) sum += int32_t{x[j]} * w[j];
    y[i] = static_cast<float>(sum) * o.row[per_row ? i / o.n : 0];
    y[i] *= o.column[i % o.n];
    if (bias) y[i] += o.bias[i % o.n];
  }
  return y;
}

/// Device copies of the operands; y starts as NaNs.
struct Device {
  OnDevice<int8_t> x, w;
  OnDevice<float> row, column, bias;
  OnDevice<uint8_t> typed_bias, y;
};
std::vector<float> rounded_bias(const Operands& o, Dtype type) {
  return decode(encode(o.bias, type), type);
}
Device to_device(const Operands& o, Dtype type) {
  return {OnDevice<int8_t>(o.x),
          OnDevice<int8_t>(o.w),
          OnDevice<float>(o.row),
          OnDevice<float>(o.column),
          OnDevice<float>(rounded_bias(o, type)),
          OnDevice<uint8_t>(encode(o.bias, type)),
          OnDevice<uint8_t>(std::vector<uint8_t>(o.m * o.n * bytes_of(type), 0xff))};
}
Int8Gemm problem(const Operands& o, const Device& d, Dtype type, bool per_row, bool bias) {
  Int8Gemm g;
  g.x = d.x.get(), g.w = d.w.get(), g.row_scale = d.row.get(), g.col_scale = d.column.get();
  g.per_row = per_row, g.m = o.m, g.n = o.n, g.k = o.k, g.type = type, g.y = d.y.get();
  if (bias) g.bias = d.bias.get(), g.typed_bias = d.typed_bias.get();
  return g;
}

class GemmGpu : public TypedGpu {};
INSTANTIATE_TEST_SUITE_P(Types, GemmGpu, testing::Values(Dtype::kF32, Dtype::kF16, Dtype::kBF16),
                         [](const auto& info) { return name_of(info.param); });

/// A tile config by its place in int8_tile_configs(), each alone, so that slow checkers take them
/// one by one.
class TileConfigGpu : public testing::TestWithParam<std::tuple<Dtype, int>> {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) GTEST_SKIP() << "no GPU";
  }
  static Dtype type() { return std::get<0>(GetParam()); }
  static const Int8TileConfig& tile_config() {
    return int8_tile_configs()[std::get<1>(GetParam())];
  }
  static std::vector<int> settings() {
    if (tile_config().setting == Int8TileConfig::kSplits) return {0, 1, 3};
    return tile_config().setting == Int8TileConfig::kRanks ? std::vector<int>{1, 2, 5}
                                                           : std::vector<int>{1, 18, 36};
  }
};
std::string tile_config_name(const testing::TestParamInfo<std::tuple<Dtype, int>>& info) {
  std::string name = name_of(std::get<0>(info.param)) + "_";
  for (const char c : std::string(int8_tile_configs()[std::get<1>(info.param)].name)) {
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(
    TileConfigs, TileConfigGpu,
    testing::Combine(testing::Values(Dtype::kF32, Dtype::kF16, Dtype::kBF16),
                     testing::Range(0, static_cast<int>(int8_tile_configs().size()))),
    tile_config_name);

/// Whole and broken tiles, K beyond a turn of every ring. Float32 runs in a few tile configs alone.
TEST_P(TileConfigGpu, GivesTheReferencesBits) {
  GemmAutotuner autotuner;
  int ran = 0;
  for (const int64_t m : {1, 3, 17, 64, 129, 300}) {
    for (const auto& [n, k] :
         std::vector<std::pair<int64_t, int64_t>>{{8, 16}, {272, 528}, {520, 1056}, {136, 6160}}) {
      const bool per_row = m % 2 == 1, bias = k != 528;
      Operands o = operands(m, n, k);
      o.bias = rounded_bias(o, type());
      std::vector<float> want;
      for (const int setting : settings()) {
        const Device d = to_device(o, type());
        if (!autotuner.run(problem(o, d, type(), per_row, bias), {tile_config().name, setting, 0},
                           setting == 1, nullptr))
          continue;
        ++ran;
        if (want.empty()) want = decode(encode(expected(o, per_row, bias), type()), type());
        ASSERT_EQ(decode(d.y.host(), type()), want) << setting << " " << m << " " << n << " " << k;
      }
    }
  }
  EXPECT_TRUE(ran > 2 || type() == Dtype::kF32);
}

TEST_P(GemmGpu, ChoosesOnceAndRemembers) {
  const fs::path file = fs::path(testing::TempDir()) / ("gemm-" + name_of(GetParam()));
  fs::remove(file);
  const Operands o = operands(40, 256, 512);
  const Device d = to_device(o, GetParam());
  const Int8Gemm g = problem(o, d, GetParam(), true, true);
  {
    GemmAutotuner autotuner(file);
    EXPECT_TRUE(autotuner.run(g, false, nullptr));
    EXPECT_EQ(decode(d.y.host(), GetParam()).size(), size_t{40 * 256});
  }
  std::string first, line;
  std::ifstream(file) >> first;
  EXPECT_EQ(first, "octet-gemm");
  const auto written = fs::last_write_time(file);
  {
    GemmAutotuner again(file);
    EXPECT_TRUE(again.run(g, false, nullptr));
  }
  EXPECT_EQ(fs::last_write_time(file), written);
  std::ofstream(file) << "octet-gemm 1 another card\n256 512 64 1.0 1 few rows\n";
  {
    GemmAutotuner foreign(file);
    EXPECT_TRUE(foreign.run(g, false, nullptr));
  }
  std::getline(std::ifstream(file) >> std::ws, line);
  EXPECT_EQ(line, "octet-gemm 1 another card");
}

TEST_P(GemmGpu, NoRowsIsNothing) {
  GemmAutotuner autotuner;
  Int8Gemm g;
  g.n = 16, g.k = 16, g.type = GetParam();
  EXPECT_TRUE(autotuner.run(g, true, nullptr));
}

}  // namespace
}  // namespace octet::cuda
