// FP8 weights with block factors against torch's float8_e4m3fn.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/cpu/weights/block_scales.h"

namespace octet::test {
namespace {

at::Tensor widened(const at::Tensor& codes, const at::Tensor& factors, int64_t first,
                   int64_t rows) {
  const at::Tensor part = codes.narrow(0, first, rows).contiguous();
  at::Tensor out = at::empty(part.sizes(), at::kFloat);
  cpu::widen_e4m3(part.const_data_ptr<uint8_t>(), factors.const_data_ptr<float>(), first, rows,
                  codes.size(1), out.data_ptr<float>());
  return out;
}

TEST(BlockScales, EveryCodeIsTorchs) {
  const at::Tensor codes = at::arange(256, at::kInt).to(at::kByte).view({1, 256});
  const at::Tensor expected = codes.view(at::kFloat8_e4m3fn).to(at::kFloat);
  const at::Tensor got = widened(codes, at::ones({1, 2}), 0, 1);
  EXPECT_TRUE(at::allclose(got, expected, 0, 0, true));
  EXPECT_TRUE(at::equal(at::signbit(got), at::signbit(expected)));
  EXPECT_EQ(got.isnan().sum().item<int64_t>(), 2);
  EXPECT_EQ(got.nan_to_num().max().item<float>(), 448.0F);
}

TEST(BlockScales, MatricesInBandsOfRows) {
  at::manual_seed(4);
  for (const auto& [n, k] :
       {std::pair<int64_t, int64_t>{300, 200}, {128, 256}, {1, 1}, {129, 127}}) {
    const at::Tensor weight = at::randn({n, k}).to(at::kFloat8_e4m3fn);
    const at::Tensor codes = weight.view(at::kByte);
    const at::Tensor factors = at::rand({cpu::scale_blocks(n), cpu::scale_blocks(k)}) + 0.1;
    const at::Tensor spread =
        factors.repeat_interleave(128, 0).repeat_interleave(128, 1).narrow(0, 0, n).narrow(1, 0, k);
    const at::Tensor expected = weight.to(at::kFloat) * spread;
    EXPECT_TRUE(at::equal(widened(codes, factors, 0, n), expected)) << n << " x " << k;
    for (int64_t first = 0; first < n; first += 50) {
      const int64_t rows = std::min<int64_t>(50, n - first);
      EXPECT_TRUE(at::equal(widened(codes, factors, first, rows), expected.narrow(0, first, rows)));
    }
  }
}

TEST(BlockScales, CountsOfBlocks) {
  EXPECT_EQ(cpu::scale_blocks(0), 0);
  EXPECT_EQ(cpu::scale_blocks(1), 1);
  EXPECT_EQ(cpu::scale_blocks(128), 1);
  EXPECT_EQ(cpu::scale_blocks(129), 2);
  EXPECT_EQ(cpu::scale_blocks(INT64_MAX), (int64_t{1} << 56));
}

}  // namespace
}  // namespace octet::test
