// In a build without CUDA the kernels' names are there, and say why they do nothing.
#include "kernels/cuda/built.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "kernels/cuda/gemm/autotuner.h"
#include "kernels/cuda/recording.h"
#include "kernels/cuda/rows/row_kernels.h"

namespace octet::cuda {
namespace {

template <typename Call>
std::string message(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(CudaStubs, SayThatThisBuildHasNoKernels) {
  EXPECT_FALSE(is_built());
  const auto named = testing::HasSubstr("this octet was built without CUDA");
  EXPECT_THAT(message([] { quantize_rows(nullptr, Dtype::kF16, 1, 1, nullptr, nullptr, nullptr); }),
              named);
  EXPECT_THAT(message([] {
                activate_rows(RowActivation::kRelu, nullptr, Dtype::kF32, 1, 1, RowTarget{},
                              nullptr);
              }),
              named);
  EXPECT_THAT(message([] { GemmAutotuner(); }), named);
  EXPECT_THAT(message([] { Recording(nullptr, [] {}); }), named);
}

}  // namespace
}  // namespace octet::cuda
