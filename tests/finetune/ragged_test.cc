// Samples of different lengths: batches, what they start from, and losses that count tokens.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "core/error.h"
#include "finetune/initial_weights.h"
#include "finetune/sampled_task.h"
#include "finetune/trainer.h"
#include "models/architectures/marian.h"
#include "tests/core/support.h"

namespace octet::test {
namespace {

ModelConfig config() {
  ModelConfig c;
  c.architecture = "MarianMTModel", c.activation = "relu";
  c.hidden = 16, c.intermediate = 24, c.layers = 2, c.encoder_layers = 1;
  c.heads = c.kv_heads = 2, c.head_dim = 8;
  c.vocab = 30, c.max_positions = 32, c.norm_eps = 1e-5, c.scale_embedding = true, c.tied = true;
  c.pad = 29, c.decoder_start = 29, c.eos = 0;
  return c;
}

// Sample i: 2 + i % 7 source ids, one more of the target.
class Ragged : public Samples {
 public:
  explicit Ragged(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  int64_t length(int64_t i) const override { return 3 + i % 7; }
  const std::string& hash() const override { return hash_; }
  TaskBatch batch(std::span<const int64_t> indices) const override {
    int64_t longest = 0;
    for (const int64_t i : indices) longest = std::max(longest, length(i));
    const auto rows = std::ssize(indices);
    TaskBatch made;
    made.inputs.ids = at::full({rows, longest - 1}, 29, at::kLong);
    made.inputs.mask = at::zeros({rows, longest - 1}, at::kBool);
    made.inputs.target_ids = at::full({rows, longest}, 29, at::kLong);
    made.inputs.target_mask = at::zeros({rows, longest}, at::kBool);
    made.targets = at::full({rows, longest}, kNoTarget, at::kLong);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = indices[static_cast<size_t>(r)], words = length(i) - 1;
      const at::Tensor ids = (at::arange(words) * (i + 3) + i) % 27 + 1;
      made.inputs.ids[r].narrow(0, 0, words).copy_(ids);
      made.inputs.mask[r].narrow(0, 0, words).fill_(true);
      made.inputs.target_ids[r].narrow(0, 1, words).copy_(ids);
      made.inputs.target_mask[r].narrow(0, 0, words + 1).fill_(true);
      made.targets[r].narrow(0, 0, words).copy_(ids);
      made.targets[r][words] = 0;
    }
    return made;
  }

 private:
  int64_t size_;
  std::string hash_ = "ragged";
};

BatchOptions tokens(int64_t count) {
  BatchOptions limits;
  limits.max_tokens = count, limits.seed = 4;
  return limits;
}

TEST(SampledTask, HoldsBatchesBelowTheirTokens) {
  const SampledTask task(std::make_unique<Ragged>(50), std::make_unique<Ragged>(10), tokens(40), 6);
  int64_t samples = 0;
  for (uint64_t b = 0; b < task.train_batches(); ++b) {
    const TaskBatch batch = task.train(b);
    EXPECT_LE(batch.targets.numel(), 40);
    samples += batch.targets.size(0);
  }
  EXPECT_EQ(samples, 50) << "an epoch has every sample once";
  int64_t judged = 0;
  for (int64_t b = 0; b < task.eval_batches(); ++b) judged += task.eval(b).targets.size(0);
  EXPECT_EQ(judged, 6);
  EXPECT_TRUE(at::equal(task.train(3).targets, task.train(3).targets));
  EXPECT_THROW(SampledTask(std::make_unique<Ragged>(50), std::make_unique<Ragged>(1), tokens(5), 0),
               Error);
}

// Batches of a list, all of it in one or in two.
class Listed : public Task {
 public:
  explicit Listed(std::vector<std::vector<int64_t>> batches) : batches_(std::move(batches)) {}
  TaskBatch train(uint64_t index) const override {
    return samples_.batch(batches_[index % batches_.size()]);
  }
  int64_t eval_batches() const override { return 1; }
  TaskBatch eval(int64_t) const override { return samples_.batch(batches_[0]); }

 private:
  Ragged samples_{40};
  std::vector<std::vector<int64_t>> batches_;
};

TrainResult run(const Task& task, TrainerOptions options,
                std::vector<at::Tensor>* values = nullptr) {
  const testing::TempDir folder;
  const Marian model(config());
  Executor executor(model.topology(), initial_weights(model.topology(), config(), 3, 0),
                    float_factory(at::kFloat, at::kCPU));
  executor.load_all();
  ProcessGroup alone;
  TrainSetup setup;
  setup.student = {&model, &executor};
  setup.parameters = trainable(executor.parameters());
  setup.task = &task, setup.process_group = &alone;
  setup.folder = folder / "run";
  Log log(true);
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  options.loss = "ce", options.warmup = 0, options.schedule = "constant", options.lr = 1e-2;
  options.patience = 0;
  const TrainResult result = train(setup, options, context);
  if (values != nullptr) {
    for (const Parameter& p : setup.parameters) values->push_back(p.leaf.detach().clone());
  }
  return result;
}

TEST(Trainer, CountsTokensOfAStepNotOfItsBatches) {
  // Few long samples and many short ones: means of batches would weigh them otherwise.
  const std::vector<int64_t> first = {6, 13}, second = {0, 7, 14, 1, 8, 2};
  std::vector<int64_t> both = first;
  both.insert(both.end(), second.begin(), second.end());
  TrainerOptions options;
  options.steps = 6, options.label_smoothing = 0.1;
  const TrainResult joined = run(Listed({both}), options);
  options.accumulate = 2;
  const TrainResult pieces = run(Listed({first, second}), options);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(pieces.train[i].loss, joined.train[i].loss, 2e-5 * joined.train[i].loss) << i;
    EXPECT_NEAR(pieces.train[i].gradient_norm, joined.train[i].gradient_norm, 1e-4) << i;
  }
  EXPECT_LT(joined.train[5].loss, joined.train[0].loss);
}

TEST(Trainer, JudgesAndKeepsTheRunningMean) {
  const Listed task({{6, 13, 0}, {1, 2, 3}});
  TrainerOptions options;
  options.steps = 12, options.eval_every = 4;
  std::vector<at::Tensor> plain, followed, mean;
  const TrainResult without = run(task, options, &plain);
  options.ema = 1e-9;
  const TrainResult at_once = run(task, options, &followed);
  options.ema = 0.9;
  const TrainResult with = run(task, options, &mean);
  for (size_t i = 0; i < without.train.size(); ++i) {
    EXPECT_EQ(without.train[i].loss, with.train[i].loss) << "the mean only looks on";
  }
  for (size_t i = 1; i < without.eval.size(); ++i) {
    EXPECT_NEAR(without.eval[i].loss, at_once.eval[i].loss, 1e-5);
    EXPECT_GT(with.eval[i].loss, without.eval[i].loss + 1e-3) << "lags behind a falling loss";
  }
  ASSERT_EQ(plain.size(), mean.size());
  EXPECT_TRUE(at::allclose(plain[0], followed[0], 1e-5, 1e-6));
  EXPECT_FALSE(at::allclose(plain[0], mean[0], 1e-3, 1e-4)) << "what is kept is the mean";
}

TEST(InitialWeights, SuitTranslation) {
  const Topology topology = Marian(config()).topology();
  const auto source = initial_weights(topology, config(), 3, 0);
  const at::Tensor table = source->get("model.shared.weight").dense;
  EXPECT_EQ(table[29].abs().sum().item<float>(), 0) << "padding";
  EXPECT_NEAR(table.narrow(0, 0, 29).std().item<double>(), 0.25, 0.03) << "1 / sqrt(16)";
  EXPECT_EQ(source->get("final_logits_bias").dense.abs().sum().item<float>(), 0);
  const at::Tensor fc1 = source->get("model.encoder.layers.0.fc1.weight").dense;
  const double bound = std::sqrt(6.0 / (16 + 24));
  EXPECT_LE(fc1.abs().max().item<double>(), bound);
  EXPECT_GT(fc1.abs().max().item<double>(), 0.95 * bound);
  EXPECT_NEAR(fc1.std().item<double>(), bound / std::sqrt(3.0), 0.03);
  EXPECT_EQ(source->get("model.encoder.layers.0.fc1.bias").dense.abs().sum().item<float>(), 0);
  EXPECT_TRUE(
      source->get("model.encoder.layers.0.final_layer_norm.weight").dense.eq(1).all().item<bool>());
  EXPECT_NEAR(initial_weights(topology, config(), 3, 0.5)
                  ->get("model.encoder.layers.0.fc1.weight")
                  .dense.std()
                  .item<double>(),
              0.5, 0.05);
  Executor executor(topology, source, float_factory(at::kFloat, at::kCPU));
  executor.load_all();
  const auto all = executor.parameters(), moved = trainable(executor.parameters());
  EXPECT_EQ(moved.size() + 1, all.size());
  for (const Parameter& p : moved) EXPECT_NE(p.name, "final_logits_bias");
}

}  // namespace
}  // namespace octet::test
