// Fine-tuning on a GPU: the scores it starts with are the CPU's, and they get better.
#include <gtest/gtest.h>

#include "models/source_model.h"
#include "tests/device.h"
#include "tests/finetune/scene.h"

namespace octet::test {
namespace {

struct GpuCase {
  const char *name, *scheme, *precision;
};

// Else the test's description would be the addresses of its strings, new in every run.
void PrintTo(const GpuCase& c, std::ostream* out) {
  *out << c.scheme << " in " << c.precision;
}

class FinetuneGpu : public ::testing::TestWithParam<GpuCase> {
 protected:
  void SetUp() override { device_under_test("cuda"); }
};

TEST_P(FinetuneGpu, StartsWhereTheCpuDoesAndLearns) {
  Scene scene;
  FinetuneOptions options = scene.options(GetParam().scheme, "cpu");
  options.trainer.steps = 0;
  const double expected = scene.run(options).training.eval[0].kl;
  options = scene.options(GetParam().scheme, "gpu");
  options.trainer.precision = GetParam().precision;
  Context gpu{scene.log, scene.stop, "cuda", 0};
  const FinetuneResult result = finetune(SourceModel(options.quantize.model), options, {}, gpu);
  const double start = result.training.eval[0].kl;
  // Products in bfloat16 add a divergence of their own on both sides.
  const bool narrow = options.trainer.precision == "bfloat16";
  EXPECT_NEAR(start, expected, (narrow ? 0.5 : 0.05) * expected);
  EXPECT_LT(result.training.eval[result.training.best].kl, 0.95 * start) << result.verdict;
}

INSTANTIATE_TEST_SUITE_P(Cases, FinetuneGpu,
                         ::testing::Values(GpuCase{"w8a8_static", "w8a8-static", "float32"},
                                           GpuCase{"w8a8_static_bf16", "w8a8-static", "bfloat16"},
                                           GpuCase{"w8a8_dynamic_bf16", "w8a8-dynamic", "bfloat16"},
                                           GpuCase{"w4a16_bf16", "w4a16-g16", "bfloat16"}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace octet::test
