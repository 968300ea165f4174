#include "eval/classification.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "core/error.h"
#include "eval/classification_scores.h"
#include "eval/score.h"
#include "models/run/device.h"
#include "models/source_model.h"

namespace octet {
namespace {

constexpr int64_t kBatch = 64;

// What one model made of the images so far.
struct Run {
  explicit Run(LoadedModel& loaded) : model(loaded) {}
  LoadedModel& model;
  std::vector<int64_t> answers;
  ScoreAccumulator scores;
  double seconds = 0;
  at::Tensor logits;  // of the batch at hand, on the CPU

  void forward(const Batch& batch) {
    const auto start = std::chrono::steady_clock::now();
    Batch inputs = batch;
    inputs.pixels = batch.pixels.to(model.executor->options().device);
    at::Tensor out = octet::forward(*model.model, *model.executor, inputs);
    synchronize(out.device());
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    logits = out.to(at::kCPU, at::kFloat);
  }

  void score(std::span<const int64_t> targets, const at::Tensor& expected) {
    const at::Tensor chosen = logits.argmax(1);
    const auto* data = chosen.const_data_ptr<int64_t>();
    answers.insert(answers.end(), data, data + chosen.numel());
    const WindowScores all = score_positions(logits, targets, expected);
    const auto one = [](const auto& values, size_t i) {
      return values.empty() ? values : std::decay_t<decltype(values)>{values[i]};
    };
    for (size_t i = 0; i < targets.size(); ++i) {
      scores.add({one(all.nll, i), one(all.ref_nll, i), one(all.kl, i), one(all.same_top1, i)});
    }
  }
};

Evaluation summarize(const Run& run, const std::string& signature, uint64_t seed) {
  Evaluation evaluation;
  evaluation.scheme = run.model.scheme;
  evaluation.signature = signature;
  evaluation.scores = run.scores.result(seed);
  evaluation.int8_gemms = run.model.counters->int8_gemms;
  evaluation.packed_gemms = run.model.counters->packed_gemms;
  evaluation.dequantized_tiles = run.model.counters->dequantized_tiles;
  evaluation.largest_tile_rows = run.model.counters->largest_tile_rows;
  evaluation.seconds = run.seconds;
  return evaluation;
}

ClassificationEvaluation evaluation_of(Run& run, const std::vector<int64_t>& targets,
                                       const std::vector<int64_t>& reference,
                                       const ClassificationData& data, uint64_t seed) {
  ClassificationEvaluation made;
  made.run = summarize(run, data.images.signature, seed);
  ClassificationScores scored = score_classification(data.labels, targets, run.answers, reference);
  made.scores.task = "vision";
  made.scores.scheme = made.run.scheme;
  made.scores.signature = made.run.signature;
  made.scores.comparison = made.run.scores;
  made.scores.scores = {std::move(scored.accuracy)};
  made.scores.examples = std::move(scored.examples);
  made.answers = std::move(run.answers);
  return made;
}

// One pass over the images, all models batch by batch; returns the targets.
std::vector<int64_t> run_all(std::vector<Run>& runs, size_t reference,
                             const ClassificationData& data, int64_t batch, Context& context) {
  const at::NoGradGuard no_gradients;
  Progress progress(context.log, "eval", data.images.used * std::ssize(runs));
  std::vector<int64_t> all;
  for (int64_t first = 0; first < data.images.used; first += batch) {
    context.stop.check("run the same command again");
    std::vector<int64_t> indices(static_cast<size_t>(std::min(batch, data.images.used - first)));
    std::iota(indices.begin(), indices.end(), first);
    const TaskBatch images = data.images.samples->batch(indices);
    const auto* target = images.targets.const_data_ptr<int64_t>();
    const std::span<const int64_t> targets(target, indices.size());
    all.insert(all.end(), targets.begin(), targets.end());
    for (Run& run : runs) run.forward(images.inputs);
    const at::Tensor expected = reference < runs.size() ? runs[reference].logits : at::Tensor();
    for (Run& run : runs) run.score(targets, expected);
    progress.advance(std::ssize(indices) * std::ssize(runs));
  }
  return all;
}

}  // namespace

ClassificationData open_classification_data(const SourceModel& model, const std::string& data,
                                            int64_t count) {
  ClassificationData opened;
  opened.labels = model.config().image.value().labels;
  opened.images = open_eval_data(model, data, 0, count);
  return opened;
}

std::vector<ClassificationEvaluation> evaluate_classifications(
    const std::vector<LoadedModel*>& models, LoadedModel* reference, const ClassificationData& data,
    int64_t batch, uint64_t seed, Context& context) {
  std::vector<Run> runs;
  for (LoadedModel* model : models) runs.emplace_back(*model);
  auto place = static_cast<size_t>(std::ranges::find(models, reference) - models.begin());
  if (reference == nullptr) {
    place = models.size() + 1;
  } else if (place == models.size()) {
    runs.emplace_back(*reference);
  }
  const std::vector<int64_t> targets =
      run_all(runs, place, data, batch > 0 ? batch : kBatch, context);
  const std::vector<int64_t> expected =
      place < runs.size() ? runs[place].answers : std::vector<int64_t>();
  std::vector<ClassificationEvaluation> evaluations;
  for (size_t m = 0; m < models.size(); ++m) {
    evaluations.push_back(evaluation_of(
        runs[m], targets, m == place ? std::vector<int64_t>() : expected, data, seed));
  }
  return evaluations;
}

ClassificationEvaluation evaluate_classification(const SourceModel& model,
                                                 const EvalOptions& options, Context& context) {
  const ClassificationData data = open_classification_data(model, options.data, options.windows);
  EvalModels models = load_eval_models(model, options, context);
  return evaluate_classifications({&models.model}, models.reference ? &*models.reference : nullptr,
                                  data, options.batch, static_cast<uint64_t>(options.seed), context)
      .front();
}

}  // namespace octet
