#include "eval/classification.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "eval/choice.h"
#include "eval/classification_scores.h"
#include "models/data/image_samples.h"
#include "tests/models/vit.h"

namespace octet::test {
namespace {

const std::vector<std::string> kLabels = {"a", "b", "c"};

TEST(ClassificationScores, CountFlipsAndNameThem) {
  const std::vector<int64_t> targets = {0, 1, 2, 0, 1, 2}, answers = {0, 1, 0, 1, 1, 1},
                             reference = {0, 0, 2, 2, 1, 2};
  const auto [accuracy, examples] = score_classification(kLabels, targets, answers, reference);
  EXPECT_DOUBLE_EQ(accuracy.value, 50);
  // Wilson's interval of 3 in 6 with z = 1.959964: 1/2 -+ z sqrt(1/24 + z^2/144) / (1 + z^2/6).
  EXPECT_NEAR(accuracy.low, 18.76163, 1e-4);
  EXPECT_NEAR(accuracy.high, 81.23837, 1e-4);
  EXPECT_DOUBLE_EQ(accuracy.reference, 100.0 * 4 / 6);
  EXPECT_EQ(accuracy.better, 1);
  EXPECT_EQ(accuracy.worse, 2);
  EXPECT_EQ(accuracy.changed, 4);
  EXPECT_EQ(accuracy.total, 6);
  EXPECT_DOUBLE_EQ(accuracy.delta, -100.0 / 6);
  // Signs -1, -1, +1 and three 0: their mean's deviation is sqrt(3/6 - 1/36) / sqrt(6).
  const double half = 100 * 1.959963984540054 * std::sqrt((0.5 - 1.0 / 36) / 6);
  EXPECT_NEAR(accuracy.delta_high - accuracy.delta, half, 1e-9);
  EXPECT_DOUBLE_EQ(accuracy.p_value, mcnemar_exact(2, 1));
  EXPECT_FALSE(accuracy.lost());
  ASSERT_EQ(examples.size(), 4U);
  EXPECT_EQ(examples[0].index, 2);
  EXPECT_EQ(examples[0].reference, "c");
  EXPECT_EQ(examples[0].output, "a");
  EXPECT_EQ(examples[0].reference_score, 100);
  EXPECT_EQ(examples[2].index, 1);
  EXPECT_EQ(examples[2].score, 100);
  EXPECT_EQ(examples[3].index, 3);
  EXPECT_EQ(score_classification(kLabels, targets, answers, reference, 2).examples.size(), 2U);
}

TEST(ClassificationScores, StandAloneWithoutAReference) {
  const std::vector<int64_t> targets(100, 1), right(100, 1), none;
  const TaskScore accuracy = score_classification(kLabels, targets, right, none).accuracy;
  EXPECT_EQ(accuracy.value, 100);
  EXPECT_NEAR(accuracy.low, 96.3006, 1e-3);
  EXPECT_NEAR(accuracy.high, 100, 1e-9);
  EXPECT_FALSE(accuracy.has_reference());
  EXPECT_THROW(score_classification(kLabels, targets, none, none), Error);
  EXPECT_THROW(score_classification(kLabels, none, none, none), Error);
  const std::vector<int64_t> fewer(99, 1);
  EXPECT_THROW(score_classification(kLabels, targets, right, fewer), Error);
}

TEST(ClassificationScores, ALossBeyondChanceIsTold) {
  const std::vector<int64_t> targets(200, 0), reference(200, 0);
  std::vector<int64_t> answers(200, 0);
  std::fill_n(answers.begin(), 10, 1);
  EXPECT_TRUE(score_classification(kLabels, targets, answers, reference).accuracy.lost());
}

LoadedModel toy(const ModelConfig& config, uint64_t seed) {
  LoadedModel loaded;
  loaded.config = config;
  loaded.scheme = "float32";
  loaded.model = make_model(config);
  loaded.counters = std::make_shared<RunCounters>();
  loaded.executor = std::make_unique<Executor>(
      loaded.model->topology(), memory_weights(random_tensors(loaded.model->topology(), seed, 0.3)),
      float_factory(at::kFloat, at::kCPU));
  loaded.executor->load_all();
  return loaded;
}

TEST(Classification, ModelsAreComparedImageByImage) {
  const ModelConfig config = parse_config({{"architectures", {"ViTForImageClassification"}},
                                           {"hidden_size", 16},
                                           {"intermediate_size", 32},
                                           {"num_hidden_layers", 1},
                                           {"num_attention_heads", 2},
                                           {"image_size", 8},
                                           {"patch_size", 4},
                                           {"num_channels", 1},
                                           {"num_labels", 3}},
                                          "toy");
  ClassificationData data;
  data.images.samples = std::make_unique<ImageSamples>(
      std::make_unique<RandomImages>(50, 1, 8, 3), *config.image,
      ImageProcessor({{"do_resize", false}, {"image_std", 0.1}}, "p", *config.image), "");
  data.labels = config.image->labels;
  data.images.used = 41;
  data.images.signature = data.images.samples->signature(41);
  LoadedModel one = toy(config, 1), two = toy(config, 2);
  Log log(true);
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  const auto results = evaluate_classifications({&one, &two}, &two, data, 16, 0, context);
  ASSERT_EQ(results.size(), 2U);
  // All at once, by hand.
  const at::NoGradGuard no_gradients;
  std::vector<int64_t> indices(41);
  std::iota(indices.begin(), indices.end(), 0);
  const TaskBatch batch = data.images.samples->batch(indices);
  const at::Tensor a = at::log_softmax(forward(*one.model, *one.executor, batch.inputs), 1);
  const at::Tensor b = at::log_softmax(forward(*two.model, *two.executor, batch.inputs), 1);
  const double accuracy = a.argmax(1).eq(batch.targets).to(at::kDouble).mean().item<double>();
  const double kl = (b.exp() * (b - a)).sum(1).mean().item<double>();
  const double nll = -a.gather(1, batch.targets.unsqueeze(1)).mean().item<double>();
  const TaskScores& scores = results[0].scores;
  EXPECT_DOUBLE_EQ(scores.find("accuracy")->value, 100 * accuracy);
  EXPECT_EQ(scores.find("accuracy")->changed, a.argmax(1).ne(b.argmax(1)).sum().item<int64_t>());
  EXPECT_GT(scores.find("accuracy")->changed, 0);
  EXPECT_NEAR(scores.comparison->kl_mean, kl, 1e-5 * kl);
  EXPECT_NEAR(std::log(scores.comparison->perplexity), nll, 1e-5);
  EXPECT_EQ(scores.comparison->windows, 41);
  EXPECT_EQ(scores.signature, "images:41/50");
  EXPECT_FALSE(results[1].scores.find("accuracy")->has_reference());
  EXPECT_NEAR(results[1].scores.comparison->kl_mean, 0, 1e-9);
  const auto alone = evaluate_classifications({&one}, nullptr, data, 7, 0, context);
  EXPECT_EQ(alone[0].answers, results[0].answers);
  EXPECT_FALSE(alone[0].scores.comparison->has_reference);
}

}  // namespace
}  // namespace octet::test
