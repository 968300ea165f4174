#include "eval/score_samples.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "eval/evaluate.h"
#include "models/architectures/marian.h"
#include "tests/models/toys.h"

namespace octet::test {
namespace {

// Sentences of 2 to 9 positions: ids, a mask, teacher-forced targets, padded to the longest.
class ToySentences : public Samples {
 public:
  explicit ToySentences(int64_t count) : count_(count) {}
  int64_t size() const override { return count_; }
  int64_t length(int64_t i) const override { return 2 + i * 5 % 8; }
  const std::string& hash() const override { return hash_; }
  TaskBatch batch(std::span<const int64_t> indices) const override {
    const auto rows = std::ssize(indices);
    int64_t longest = 0;
    for (const int64_t i : indices) longest = std::max(longest, length(i));
    TaskBatch batch;
    batch.inputs.ids = at::zeros({rows, longest}, at::kLong);
    batch.inputs.mask = at::zeros({rows, longest}, at::kBool);
    batch.inputs.target_ids = at::zeros({rows, longest}, at::kLong);
    batch.inputs.target_mask = at::zeros({rows, longest}, at::kBool);
    batch.targets = at::full({rows, longest}, kNoTarget, at::kLong);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = indices[static_cast<size_t>(r)], n = length(i);
      for (int64_t t = 0; t < n; ++t) {
        batch.inputs.ids[r][t] = 1 + (i * 7 + t * 3) % 39;
        batch.targets[r][t] = 1 + (i * 11 + t * 5) % 39;
        if (t > 0) batch.inputs.target_ids[r][t] = batch.targets[r][t - 1];
      }
      batch.inputs.mask[r].narrow(0, 0, n).fill_(true);
      batch.inputs.target_mask[r].narrow(0, 0, n).fill_(true);
    }
    return batch;
  }

 private:
  int64_t count_;
  std::string hash_ = "toy";
};

LoadedModel loaded(std::unique_ptr<Model> model, ModelConfig config, uint64_t seed) {
  LoadedModel out;
  out.config = std::move(config);
  out.scheme = "float32";
  const auto source = memory_weights(random_tensors(model->topology(), seed, 0.3));
  out.executor =
      std::make_unique<Executor>(model->topology(), source, float_factory(at::kFloat, at::kCPU));
  out.executor->load_all();
  out.model = std::move(model);
  out.counters = std::make_shared<RunCounters>();
  return out;
}

LoadedModel translator(uint64_t seed) {
  ModelConfig config;
  config.architecture = "MarianMTModel";
  return loaded(std::make_unique<ToyEncoderDecoder>(), config, seed);
}

std::vector<WindowScores> by_sample(std::vector<LoadedModel*> models, LoadedModel* reference,
                                    const Samples& samples, int64_t rows, int64_t bytes) {
  std::vector<WindowScores> out(static_cast<size_t>(samples.size()));
  for (int64_t first = 0; first < samples.size(); first += rows) {
    std::vector<int64_t> indices(static_cast<size_t>(std::min(rows, samples.size() - first)));
    std::iota(indices.begin(), indices.end(), first);
    const auto scored = score_batch(models, reference, samples.batch(indices), true, bytes);
    for (size_t r = 0; r < indices.size(); ++r)
      out[static_cast<size_t>(indices[r])] = scored.back().samples[r];
  }
  return out;
}

void expect_near(const std::vector<WindowScores>& a, const std::vector<WindowScores>& b,
                 double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].nll.size(), b[i].nll.size()) << i;
    EXPECT_EQ(a[i].same_top1, b[i].same_top1) << i;
    for (size_t t = 0; t < a[i].nll.size(); ++t) {
      EXPECT_NEAR(a[i].nll[t], b[i].nll[t], tolerance) << i << " " << t;
      EXPECT_NEAR(a[i].kl[t], b[i].kl[t], tolerance) << i << " " << t;
    }
  }
}

TEST(ScoreSamples, EachPositionWithATargetAndNoPadding) {
  const ToySentences samples(13);
  LoadedModel model = translator(1), reference = translator(2);
  const auto one = by_sample({&model}, &reference, samples, 1, 1 << 20);
  for (int64_t i = 0; i < samples.size(); ++i)
    EXPECT_EQ(std::ssize(one[static_cast<size_t>(i)].nll), samples.length(i));
  // By the definition, on one sentence.
  const at::NoGradGuard no_gradients;
  const std::vector<int64_t> index = {5};
  const TaskBatch batch = samples.batch(index);
  const at::Tensor logits = forward(*model.model, *model.executor, batch.inputs)[0];
  const at::Tensor expected = forward(*reference.model, *reference.executor, batch.inputs)[0];
  const at::Tensor log_p = at::log_softmax(logits, 1), log_q = at::log_softmax(expected, 1);
  const at::Tensor kl = (log_q.exp() * (log_q - log_p)).sum(1);
  for (int64_t t = 0; t < logits.size(0); ++t) {
    const int64_t target = batch.targets[0][t].item<int64_t>();
    EXPECT_NEAR(one[5].nll[static_cast<size_t>(t)], -log_p[t][target].item<float>(), 1e-5);
    EXPECT_NEAR(one[5].kl[static_cast<size_t>(t)], kl[t].item<float>(), 1e-5);
  }
}

TEST(ScoreSamples, BatchesAndChunksOfLogitsGiveTheSameScores) {
  const ToySentences samples(13);
  LoadedModel model = translator(1), reference = translator(2);
  const auto one = by_sample({&model}, &reference, samples, 1, 1 << 20);
  expect_near(by_sample({&model}, &reference, samples, 5, 1 << 20), one, 2e-5);
  // 3 positions of 40 logits of 5 rows at a time, and one.
  expect_near(by_sample({&model}, &reference, samples, 5, 3 * 40 * 5 * 4), one, 2e-5);
  expect_near(by_sample({&model}, &reference, samples, 5, 1), one, 2e-5);
}

TEST(ScoreSamples, TheReferenceMayBeOneOfTheModels) {
  const ToySentences samples(4);
  LoadedModel model = translator(1), reference = translator(2);
  const std::vector<int64_t> all = {0, 1, 2, 3};
  const auto scored =
      score_batch({&reference, &model}, &reference, samples.batch(all), true, 1 << 20);
  for (const float kl : scored[0].samples[2].kl) EXPECT_EQ(kl, 0);
  for (const float kl : scored[1].samples[2].kl) EXPECT_GT(kl, 0);
  EXPECT_EQ(scored[0].samples[2].nll, scored[1].samples[2].ref_nll);
  EXPECT_GT(scored[1].seconds, 0);
}

TEST(EvaluateModels, SentencesAreTheUnitOfTheBootstrap) {
  Log log(true);
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  LoadedModel model = translator(1), reference = translator(2);
  EvalData data{std::make_unique<ToySentences>(13), 12, "toy"};
  const auto results = evaluate_models({&reference, &model}, &reference, data, 0, 0, context);
  ASSERT_EQ(results.size(), 2U);
  const Comparison& scores = results[1].scores;
  EXPECT_EQ(scores.windows, 12);
  int64_t positions = 0;
  for (int64_t i = 0; i < 12; ++i) positions += data.samples->length(i);
  EXPECT_EQ(scores.positions, positions);
  EXPECT_GT(scores.kl_mean, 0);
  EXPECT_GT(scores.kl_mean_se, 0);
  EXPECT_EQ(results[0].scores.kl_max, 0);
  EXPECT_EQ(results[0].scores.perplexity, scores.ref_perplexity);
  EXPECT_EQ(results[1].signature, "toy");
  // In whatever batches: the same order of sentences, so the same resamples.
  const auto single = evaluate_models({&model}, &reference, data, 1, 0, context);
  EXPECT_NEAR(single[0].scores.kl_mean, scores.kl_mean, 1e-5);
  EXPECT_NEAR(single[0].scores.ln_ratio_low, scores.ln_ratio_low, 1e-4);
}

}  // namespace
}  // namespace octet::test
