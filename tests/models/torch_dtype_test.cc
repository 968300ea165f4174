// The one pair of converters, and formats of inputs.
#include "models/torch_dtype.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "models/run/activation.h"

namespace octet {
namespace {

TEST(TorchDtype, ThereAndBack) {
  int held = 0;
  for (int i = 0; i <= static_cast<int>(Dtype::kI4); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    try {
      const at::ScalarType torch = torch_dtype(dtype);
      EXPECT_EQ(container_dtype(torch), dtype) << name(dtype);
      EXPECT_EQ(static_cast<int>(at::elementSize(torch)), byte_size(dtype)) << name(dtype);
      ++held;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr(std::string(name(dtype))));
    }
  }
  EXPECT_EQ(held, 10);
  EXPECT_THROW(container_dtype(at::kComplexDouble), Error);
}

TEST(TorchDtype, NamesTheTensor) {
  try {
    torch_dtype(Dtype::kF8E4M3, "layers.0.weight");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("tensor layers.0.weight of dtype F8_E4M3"));
  }
}

TEST(Format, SaysWhatSharesAScale) {
  EXPECT_FALSE(Format::kFloat.quantized());
  EXPECT_FALSE(Format::kFloat.per_token());
  EXPECT_TRUE(Format::kInt8Token.per_token());
  EXPECT_FALSE(Format::kInt8Token.per_tensor());
  EXPECT_TRUE(Format::kInt8Tensor.per_tensor());
  EXPECT_NE(Format::kInt8Token, Format::kInt8Tensor);
  EXPECT_EQ(Format(), Format::kFloat);
}

TEST(Format, CodesWithoutAKernelAreRefused) {
  const at::Tensor x = at::ones({2, 8});
  EXPECT_THROW(to_format(x, {Dtype::kI16, Granularity::kToken}, {}, false), Error);
  EXPECT_THROW(fused_rms_norm(x, at::ones({8}), 1e-5, {Dtype::kI16, Granularity::kToken}, {}),
               Error);
}

}  // namespace
}  // namespace octet
