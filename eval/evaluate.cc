#include "eval/evaluate.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "datasets/batches.h"
#include "eval/score_samples.h"
#include "models/architectures/registry.h"
#include "models/data/data.h"
#include "models/data/open_samples.h"
#include "models/parse_dtype.h"
#include "models/source_model.h"

namespace octet {
namespace {

constexpr int64_t kBatch = 32;

Evaluation summarize(const LoadedModel& model, const ScoreAccumulator& scores, uint64_t seed) {
  Evaluation evaluation;
  evaluation.scheme = model.scheme;
  evaluation.scores = scores.result(seed);
  evaluation.int8_gemms = model.counters->int8_gemms;
  evaluation.packed_gemms = model.counters->packed_gemms;
  evaluation.dequantized_tiles = model.counters->dequantized_tiles;
  evaluation.largest_tile_rows = model.counters->largest_tile_rows;
  return evaluation;
}

std::vector<std::vector<int64_t>> batches(const EvalData& data, int64_t rows) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < data.used; ++i) lengths.push_back(data.samples->length(i));
  return sequential_batches(lengths, {.max_samples = rows});
}

void check_length(int64_t length) {
  if (length < 2)
    throw UsageError(fmt::format("--length {}", length), "at least 2", "e.g. --length 1024");
}

}  // namespace

void EvalOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a Hugging Face directory (float or quantized) or a .gguf file", model);
  v.field(
      "data",
      "data to score: FILE, text:FILE or jsonl:FILE (perplexity) or choice:FILE (accuracy); for "
      "translation models parallel:SRC,TGT or gettext:LANG (BLEU); for image models idx:DIR or "
      "images:DIR (accuracy)",
      data);
  v.field("reference", "float model to compare with: KL divergence and differences of the scores",
          reference);
  v.field("length", "tokens in a text window", length);
  v.field("windows", "score only the first N windows, sentences, images or questions, 0 for all",
          windows);
  v.field(
      "batch",
      "windows, sentences or images in a batch; 0 for the default: 1 window, or 32 sentences or "
      "images",
      batch);
  v.field("beam", "beam size of the translation search, 1 for greedy", beam);
  v.field("seed", "seed of the bootstrap that estimates the confidence intervals", seed);
  v.field("dtype", "dtype to run float models in: float32, bfloat16 or float16", dtype);
}

TokenWindows open_windows(const SourceModel& model, const std::string& data, int64_t length) {
  check_length(length);
  return cut_windows(model, open_text(model, data), length);
}

EvalData open_eval_data(const SourceModel& model, const std::string& data, int64_t length,
                        int64_t count) {
  require_option(data, "data", "what to score");
  const bool language = task_kind(model.config()) == TaskKind::kLanguage;
  if (language) check_length(length);
  EvalData opened;
  // Sentences are as long as they are; what the model has no positions for is cut off.
  opened.samples = open_samples(model, data, Split::kTest, language ? length : 0);
  opened.used = opened.samples->size();
  if (count > 0) opened.used = std::min(count, opened.used);
  opened.signature = opened.samples->signature(opened.used) + "|log-probs:float32";
  return opened;
}

std::vector<Evaluation> evaluate_models(const std::vector<LoadedModel*>& models,
                                        LoadedModel* reference, const EvalData& data, int64_t batch,
                                        uint64_t seed, Context& context) {
  const bool language = task_kind(models.front()->config) == TaskKind::kLanguage;
  const int64_t rows = batch > 0 ? batch : language ? 1 : kBatch;
  std::vector<std::vector<WindowScores>> windows(models.size());
  for (auto& list : windows) list.resize(static_cast<size_t>(data.used));
  std::vector<double> seconds(models.size(), 0);
  Progress progress(context.log, "eval", data.used * static_cast<int64_t>(models.size()));
  for (const auto& indices : batches(data, rows)) {
    context.stop.check("run the same command again");
    auto scored =
        score_batch(models, reference, data.samples->batch(indices), data.samples->positionwise());
    for (size_t m = 0; m < models.size(); ++m) {
      seconds[m] += scored[m].seconds;
      for (size_t r = 0; r < indices.size(); ++r)
        windows[m][static_cast<size_t>(indices[r])] = std::move(scored[m].samples[r]);
    }
    progress.advance(std::ssize(indices) * std::ssize(models));
  }
  std::vector<Evaluation> evaluations;
  for (size_t m = 0; m < models.size(); ++m) {
    ScoreAccumulator scores;
    for (const WindowScores& window : windows[m]) scores.add(window);
    evaluations.push_back(summarize(*models[m], scores, seed));
    evaluations.back().signature = data.signature;
    evaluations.back().seconds = seconds[m];
  }
  return evaluations;
}

EvalModels load_eval_models(const SourceModel& model, const EvalOptions& options,
                            const Context& context) {
  const LoadOptions load{parse_dtype(options.dtype), context.device, context.gemm_file};
  EvalModels models{load_model(model, load), std::nullopt};
  if (options.reference.empty()) return models;
  const SourceModel reference(options.reference);
  if (reference.config().vocab != models.model.config.vocab) {
    throw UsageError(fmt::format("another vocabulary in {}", options.reference),
                     "a reference with the same vocabulary",
                     "compare a model with the one it was made from");
  }
  models.reference = load_model(reference, load);
  return models;
}

at::Tensor logits_of(LoadedModel& model, const std::vector<int64_t>& ids) {
  Batch batch;
  batch.ids = at::tensor(ids, at::kLong).unsqueeze(0).to(model.executor->options().device);
  return forward(*model.model, *model.executor, batch)[0];
}

Evaluation evaluate(const SourceModel& model, const EvalOptions& options, Context& context) {
  const EvalData data = open_eval_data(model, options.data, options.length, options.windows);
  EvalModels models = load_eval_models(model, options, context);
  return evaluate_models({&models.model}, models.reference ? &*models.reference : nullptr, data,
                         options.batch, static_cast<uint64_t>(options.seed), context)
      .front();
}

}  // namespace octet
