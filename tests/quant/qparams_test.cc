// The number convention of weights, against hand-computed values and naive loops.
#include "quant/qparams.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "models/torch_dtype.h"

namespace octet {
namespace {

at::Tensor random_weight(int64_t n, int64_t k) {
  const Random random(5, "qparams test");
  at::Tensor w = at::empty({n, k});
  for (int64_t i = 0; i < n * k; ++i)
    w.data_ptr<float>()[i] = static_cast<float>(0.05 * random.normal(i));
  return w;
}

TEST(QParams, CodesAreRoundedAgainstTheStoredScale) {
  const at::Tensor w = random_weight(9, 33);
  for (const Dtype dtype : {Dtype::kF16, Dtype::kBF16, Dtype::kF32}) {
    const QuantizedWeight made = quantize_weight(w, {Dtype::kI8, 0, false, dtype});
    EXPECT_EQ(made.scale.scalar_type(), torch_dtype(dtype));
    const at::Tensor scale = made.scale.to(at::kFloat);
    for (int64_t n = 0; n < 9; ++n) {
      const float s = scale[n][0].item<float>();
      EXPECT_NEAR(s, w[n].abs().max().item<float>() / 127, s * 0x1p-8F);
      for (int64_t k = 0; k < 33; ++k) {
        const float expected =
            std::min(127.0F, std::max(-127.0F, std::nearbyintf(w[n][k].item<float>() / s)));
        EXPECT_EQ(made.q[n][k].item<int>(), static_cast<int>(expected));
      }
    }
  }
}

TEST(QParams, HalvesGoToEvenAndRangesAreSymmetric) {
  // absmax 127 gives scale 1: values are their own codes.
  const at::Tensor w =
      at::tensor({127.0F, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -127.0F, 126.5F}).view({1, 8});
  const QuantizedWeight made = quantize_weight(w, {});
  EXPECT_EQ(made.scale.item<float>(), 1.0F);
  EXPECT_TRUE(
      at::equal(made.q, at::tensor({127, 0, 2, 2, 0, -2, -127, 126}, at::kChar).view({1, 8})));
}

TEST(QParams, ZeroChannelsGetScaleOne) {
  const QuantizedWeight made = quantize_weight(at::zeros({2, 4}), {});
  EXPECT_TRUE(at::equal(made.scale.to(at::kFloat), at::ones({2, 1})));
  EXPECT_EQ(made.q.abs().max().item<int>(), 0);
}

TEST(QParams, TinyRangesNeverOverflowTheCodes) {
  // Ranges whose scale is subnormal in float16, or rounds to nothing.
  for (const float range : {1e-9F, 2e-6F, 5e-6F, 9.7e-6F, 1e-4F, 3e-3F, 7.7e-3F}) {
    const float scale =
        scales_of_ranges(at::full({1}, range), Dtype::kI8, Dtype::kF16).item<float>();
    EXPECT_TRUE(scale == 1.0F || range / scale <= 127.5F) << range << " " << scale;
    EXPECT_EQ(scale == 1.0F, range / 127 < 0x1p-25F) << range;
  }
}

TEST(QParams, PackingIsBytesOfOffsetCodes) {
  const at::Tensor q = at::tensor({-127, 0, 127, -128, 5}, at::kChar).view({1, 5});
  const at::Tensor packed = pack_qweight(q, Dtype::kI8);
  ASSERT_EQ(packed.scalar_type(), at::kInt);
  EXPECT_EQ(packed.sizes(), at::IntArrayRef({1, 2}));
  EXPECT_EQ(static_cast<uint32_t>(packed[0][0].item<int>()), 0x00FF8001U);
  EXPECT_EQ(packed[0][1].item<int>(), 133);
  EXPECT_TRUE(at::equal(unpack_qweight(packed, 5, Dtype::kI8, "x"), q));
  EXPECT_THROW(unpack_qweight(packed, 9, Dtype::kI8, "x"), Error);
  EXPECT_THROW(unpack_qweight(packed, 0, Dtype::kI8, "x"), Error);
  EXPECT_THROW(unpack_qweight(packed.to(at::kLong), 5, Dtype::kI8, "x"), Error);
}

TEST(QParams, FourBitsAreTwoAByteAndGroupsHaveTheirScales) {
  const at::Tensor q = at::tensor({-8, 7, 0, 1, -1, 2, 3, 4, 5}, at::kChar).view({1, 9});
  const at::Tensor packed = pack_qweight(q, Dtype::kI4);
  EXPECT_EQ(packed.sizes(), at::IntArrayRef({1, 2}));
  EXPECT_EQ(static_cast<uint32_t>(packed[0][0].item<int>()), 0xCBA798F0U);
  EXPECT_EQ(packed[0][1].item<int>(), 13);
  EXPECT_TRUE(at::equal(unpack_qweight(packed, 9, Dtype::kI4, "x"), q));

  const at::Tensor w = random_weight(5, 64);
  const QuantizedWeight made = quantize_weight(w, {Dtype::kI4, 16, false, Dtype::kF32});
  EXPECT_EQ(made.scale.sizes(), at::IntArrayRef({5, 4}));
  EXPECT_TRUE(at::allclose(made.scale, w.view({5, 4, 16}).abs().amax(2) / 7.5));
  const auto error = [&w](const QuantizedWeight& coded) {
    return (coded.q * coded.scale.repeat_interleave(16, 1) - w).square().sum().item<double>();
  };
  EXPECT_LT(error(quantize_weight(w, {Dtype::kI4, 16, true, Dtype::kF32})), 0.95 * error(made));
}

}  // namespace
}  // namespace octet
