// Losses and their gradients against autograd, in chunks and whole; AdamW against LibTorch's.
#include "finetune/losses.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adamw.h>

#include <cmath>

#include "core/error.h"
#include "finetune/blocks.h"
#include "finetune/optimizer.h"
#include "tests/models/toys.h"

namespace octet::test {
namespace {

at::Tensor some_targets() {
  at::Tensor targets = (at::arange(12) * 5) % 17;
  targets[3] = kNoTarget, targets[11] = kNoTarget;
  return targets;
}

TEST(Losses, EqualAutograds) {
  at::manual_seed(1);
  const at::Tensor targets = some_targets(), teacher = at::randn({12, 17}) * 2;
  for (const double smoothing : {0.0, 0.1}) {
    for (const char* name : {"ce", "kl", "both"}) {
      LossOptions options = parse_loss(name);
      options.label_smoothing = smoothing;
      const at::Tensor logits = (at::randn({12, 17}) * 2).requires_grad_(true);
      const at::Tensor keep = targets.ne(kNoTarget);
      const at::Tensor log_p = at::log_softmax(logits, 1), log_t = at::log_softmax(teacher, 1);
      const at::Tensor kl = (log_t.exp() * (log_t - log_p)).sum(1).masked_select(keep).sum();
      const at::Tensor ce =
          at::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum, kNoTarget, smoothing);
      const at::Tensor expected = options.cross_entropy * ce + options.divergence * kl;
      const at::Tensor wanted = torch::autograd::grad({expected}, {logits})[0];
      at::Tensor gradient;
      const LossSums sums =
          LossSums::read(position_losses(logits, teacher, targets, options, &gradient));
      EXPECT_EQ(sums.tokens, 10);
      EXPECT_NEAR(sums.loss, expected.item<double>(), 1e-4) << name;
      EXPECT_NEAR(sums.kl, kl.item<double>(), 1e-4) << name;
      EXPECT_TRUE(at::allclose(gradient, wanted, 1e-5, 1e-6)) << name << smoothing;
    }
  }
  EXPECT_THROW(parse_loss("mse"), UsageError);
}

class Chunks : public testing::TestWithParam<int> {};

// Gradients of all leaves of a toy, with logits in chunks of few positions and blocks run again.
std::vector<at::Tensor> gradients(const Toy& t, bool recompute, int64_t chunk_bytes,
                                  LossSums& sums) {
  Executor executor = t.executor();
  executor.train(true);
  std::vector<Parameter> parameters = executor.parameters();
  for (Parameter& p : parameters) {
    p.leaf.requires_grad_(true);  // the toy's own tensors: an earlier call has left gradients
    p.leaf.mutable_grad() = at::Tensor();
  }
  const Runner runner{t.model.get(), &executor};
  const Batch batch = t.batch();
  const at::Tensor ids = t.encoder_decoder ? batch.target_ids : batch.ids;
  at::manual_seed(9);
  Hidden hidden = run_blocks(runner, batch, recompute);
  LossOptions options;
  options.chunk_bytes = chunk_bytes;
  sums = LossSums::read(chunked_loss(runner, hidden, {}, nullptr, ids, true, options, true, 0.5));
  std::vector<at::Tensor> out;
  for (Parameter& p : parameters) out.push_back(p.leaf.grad().clone());
  return out;
}

TEST_P(Chunks, GiveTheGradientsOfTheWhole) {
  const Toy t = toys()[static_cast<size_t>(GetParam())];
  LossSums whole, chunked, again;
  const auto expected = gradients(t, false, 1 << 30, whole);
  const auto pieces = gradients(t, false, 1000, chunked);
  const auto recomputed = gradients(t, true, 1 << 30, again);
  EXPECT_NEAR(whole.loss, chunked.loss, 1e-4);
  EXPECT_EQ(whole.loss, again.loss);
  for (size_t i = 0; i < expected.size(); ++i) {
    const double size = expected[i].abs().max().item<double>();
    EXPECT_LT((pieces[i] - expected[i]).abs().max().item<double>(), 1e-5 * size + 1e-7) << i;
    // Dropout drew the same numbers both times.
    EXPECT_LT((recomputed[i] - expected[i]).abs().max().item<double>(), 1e-6 * size + 1e-8) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, Chunks, testing::Values(0, 1, 2));

TEST(Optimizer, EqualsLibTorchsAdamW) {
  at::manual_seed(2);
  const at::Tensor start = at::randn({7, 5});
  at::Tensor ours = start.clone(), theirs = start.clone().requires_grad_(true);
  OptimizerOptions options;
  options.lr = 0.01, options.schedule = "constant", options.clip = 0, options.weight_decay = 0.1;
  AdamW adam({{Parameter::Kind::kWeight, "w", ours}}, options);
  torch::optim::AdamW reference({theirs}, torch::optim::AdamWOptions(0.01).weight_decay(0.1));
  for (int step = 0; step < 5; ++step) {
    const at::Tensor gradient = at::randn({7, 5});
    const int64_t before = ours._version();
    ours.mutable_grad() = gradient.clone();
    theirs.mutable_grad() = gradient.clone();
    EXPECT_NEAR(adam.clip_gradients().item<double>(), gradient.norm().item<double>(), 1e-5);
    adam.step(step, 5);
    reference.step();
    EXPECT_GT(ours._version(), before) << "what is cached of the leaf must be made again";
    EXPECT_TRUE(at::allclose(ours, theirs, 1e-6, 1e-7)) << step;
  }
}

TEST(Optimizer, ClipsAndFollowsItsSchedule) {
  at::Tensor leaf = at::zeros({4});
  AdamW adam({{Parameter::Kind::kWeight, "w", leaf}}, {});
  leaf.mutable_grad() = at::full({4}, 3.0F);
  EXPECT_NEAR(adam.clip_gradients().item<double>(), 6, 1e-6);
  EXPECT_NEAR(leaf.grad().norm().item<double>(), 1, 1e-6);
  OptimizerOptions options;
  options.warmup = 10;
  EXPECT_NEAR(rate_at(options, 0, 100), 0.1, 1e-12);
  EXPECT_NEAR(rate_at(options, 9, 100), 1, 1e-12);
  EXPECT_NEAR(rate_at(options, 99, 100), 0.1, 1e-12);
  options.schedule = "inverse-sqrt";
  EXPECT_NEAR(rate_at(options, 39, 100), 0.5, 1e-12);
  options.schedule = "linear";
  EXPECT_THROW(rate_at(options, 50, 100), UsageError);
}

}  // namespace
}  // namespace octet::test
