// Text that a model writes itself.
#include "finetune/self_text.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/error.h"
#include "tests/core/support.h"
#include "tests/models/toys.h"

namespace octet::test {
namespace {

struct Writing {
  Toy toy = toys()[0];
  Executor executor = toy.executor();
  Log log{true};
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  ProcessGroup alone;
  testing::TempDir folder;

  std::unique_ptr<Samples> write(int64_t windows, const std::string& place, uint64_t seed = 5,
                                 std::optional<int64_t> bos = 7) {
    SelfTextOptions options;
    options.windows = windows, options.length = 24, options.seed = seed;
    options.purpose = "train", options.bos = bos;
    return self_text({toy.model.get(), &executor}, options, folder / place, alone, context);
  }
  static at::Tensor ids(const Samples& samples) {
    std::vector<int64_t> all(static_cast<size_t>(samples.size()));
    std::iota(all.begin(), all.end(), 0);
    return samples.batch(all).inputs.ids;
  }
};

TEST(SelfText, FollowsTheModelsDistribution) {
  Writing w;
  const at::Tensor ids = Writing::ids(*w.write(200, "a"));
  EXPECT_EQ(ids.sizes(), at::IntArrayRef({200, 24}));
  EXPECT_TRUE(ids.select(1, 0).eq(7).all().item<bool>());
  // The mean of -log p over what was drawn is the mean entropy, within four deviations.
  const at::NoGradGuard no_gradients;
  Batch batch;
  batch.ids = ids;
  const at::Tensor log_p =
      at::log_softmax(forward(*w.toy.model, w.executor, batch).narrow(1, 0, 23), -1, at::kDouble);
  const at::Tensor entropy = -(log_p.exp() * log_p).sum(-1);
  const at::Tensor nll = -log_p.gather(-1, ids.narrow(1, 1, 23).unsqueeze(-1)).squeeze(-1);
  const at::Tensor surplus = nll - entropy;
  const double deviation = surplus.std().item<double>() / std::sqrt(200.0 * 23);
  EXPECT_LT(std::abs(surplus.mean().item<double>()), 4 * deviation);
  EXPECT_GT(std::log(50.0) - entropy.mean().item<double>(), 20 * deviation)
      << "a uniform draw would be told apart";
}

TEST(SelfText, IsReadAgainAndDependsOnTheSeed) {
  Writing w;
  const auto first = w.write(40, "a");
  const auto time = std::filesystem::last_write_time(w.folder / "a/self-train-0.safetensors");
  std::filesystem::remove(w.folder / "a/self-train-1.safetensors");
  const auto again = w.write(40, "a"), other = w.write(40, "b", 6);
  EXPECT_EQ(first->hash(), again->hash());
  EXPECT_NE(first->hash(), other->hash());
  EXPECT_EQ(std::filesystem::last_write_time(w.folder / "a/self-train-0.safetensors"), time);
  const at::Tensor starts = Writing::ids(*w.write(64, "c", 5, std::nullopt)).select(1, 0);
  EXPECT_GT(std::get<0>(at::_unique(starts)).numel(), 20) << "first tokens are drawn";
  EXPECT_LT(starts.max().item<int64_t>(), 50);
  const int64_t two[] = {1, 0};
  const TaskBatch batch = first->batch(two);
  EXPECT_TRUE(at::equal(batch.targets.narrow(1, 0, 23), batch.inputs.ids.narrow(1, 1, 23)));
  EXPECT_EQ(batch.targets[0][23].item<int64_t>(), kNoTarget);
}

TEST(SelfText, BadCountsAreNamed) {
  EXPECT_EQ(self_windows("train.txt"), std::nullopt);
  EXPECT_EQ(self_windows("self:12"), 12);
  for (const char* bad : {"self:", "self:0", "self:x", "self:-1", "self:1x"}) {
    EXPECT_THROW(self_windows(bad), UsageError) << bad;
  }
}

}  // namespace
}  // namespace octet::test
