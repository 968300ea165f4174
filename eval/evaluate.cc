#include "eval/evaluate.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>

#include "core/error.h"
#include "eval/score.h"
#include "models/data.h"
#include "models/device.h"
#include "models/open.h"
#include "models/parse_dtype.h"

namespace octet {
namespace {

at::Tensor timed_logits(LoadedModel& model, const std::vector<int64_t>& ids, double& seconds) {
  const auto start = std::chrono::steady_clock::now();
  at::Tensor logits = logits_of(model, ids);
  synchronize(logits.device());
  seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return logits;
}

Evaluation summarize(const LoadedModel& model, const ScoreAccumulator& scores, uint64_t seed) {
  Evaluation evaluation;
  evaluation.scheme = model.scheme;
  evaluation.scores = scores.result(seed);
  evaluation.int8_gemms = model.counters->int8_gemms;
  evaluation.packed_gemms = model.counters->packed_gemms;
  evaluation.widened_tiles = model.counters->widened_tiles;
  evaluation.largest_tile_rows = model.counters->largest_tile_rows;
  return evaluation;
}

}  // namespace

void EvalOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a Hugging Face directory (float or quantized) or a .gguf file", model);
  v.field("data", "what to score: FILE, text:FILE, jsonl:FILE or choice:FILE (accuracy)", data);
  v.field("reference", "float model to compare with: KL divergence and same top-1", reference);
  v.field("length", "tokens in a window", length);
  v.field("windows", "score only the first N windows or questions, 0 for all", windows);
  v.field("seed", "of the bootstrap behind the standard errors", seed);
  v.field("dtype", "arithmetic of float models: float32, bfloat16 or float16", dtype);
}

std::string eval_signature(const TokenWindows& windows, int64_t used, bool bos) {
  return fmt::format("length:{}|windows:{}/{}|bos:{}|tail:dropped({})|stride:{}|log-probs:float32",
                     windows.length(), used, windows.size(), bos ? "each window" : "no",
                     windows.tail(), windows.length() - (bos ? 1 : 0));
}

TokenWindows open_windows(const std::string& model, const std::string& data, int64_t length) {
  if (length < 2)
    throw UsageError(fmt::format("--length {}", length), "at least 2", "e.g. --length 1024");
  return cut_windows(model, open_text(model, data), length);
}

std::vector<Evaluation> evaluate_models(const std::vector<LoadedModel*>& models,
                                        LoadedModel* reference, const TokenWindows& windows,
                                        int64_t count, uint64_t seed, Context& context) {
  const at::NoGradGuard no_gradients;
  const int64_t used = count > 0 ? std::min(count, windows.size()) : windows.size();
  std::vector<ScoreAccumulator> scores(models.size());
  std::vector<double> seconds(models.size(), 0);
  double reference_seconds = 0;
  Progress progress(context.log, "eval", used * static_cast<int64_t>(models.size()));
  for (int64_t i = 0; i < used; ++i) {
    const std::vector<int64_t> ids = windows.window(i);
    const at::Tensor expected =
        reference == nullptr ? at::Tensor() : timed_logits(*reference, ids, reference_seconds);
    for (size_t m = 0; m < models.size(); ++m) {
      context.stop.check("run the same command again");
      const at::Tensor logits =
          models[m] == reference ? expected : timed_logits(*models[m], ids, seconds[m]);
      scores[m].add(score_window(logits, ids, expected));
      progress.advance();
    }
  }
  std::vector<Evaluation> evaluations;
  for (size_t m = 0; m < models.size(); ++m) {
    evaluations.push_back(summarize(*models[m], scores[m], seed));
    evaluations.back().seconds = models[m] == reference ? reference_seconds : seconds[m];
  }
  return evaluations;
}

EvalModels load_eval_models(const EvalOptions& options, const Context& context) {
  const LoadOptions load{parse_dtype(options.dtype), context.device, true};
  EvalModels models{load_model(options.model, load), std::nullopt};
  if (options.reference.empty()) return models;
  if (open_config(options.reference).vocab != models.model.config.vocab) {
    throw UsageError(fmt::format("another vocabulary in {}", options.reference),
                     "a reference with the same vocabulary",
                     "compare a model with the one it was made from");
  }
  models.reference = load_model(options.reference, load);
  return models;
}

at::Tensor logits_of(LoadedModel& model, const std::vector<int64_t>& ids) {
  Batch batch;
  batch.ids = at::tensor(ids, at::kLong).unsqueeze(0).to(model.executor->options().device);
  return forward(*model.model, *model.executor, batch)[0];
}

Evaluation evaluate(const EvalOptions& options, Context& context) {
  require_option(options.data, "data", "a text to score");
  const TokenWindows windows = open_windows(options.model, options.data, options.length);
  EvalModels models = load_eval_models(options, context);
  const int64_t used =
      options.windows > 0 ? std::min(options.windows, windows.size()) : windows.size();
  Evaluation evaluation =
      evaluate_models({&models.model}, models.reference ? &*models.reference : nullptr, windows,
                      options.windows, static_cast<uint64_t>(options.seed), context)
          .front();
  const auto tokenizer = open_tokenizer(options.model);
  evaluation.signature = eval_signature(windows, used, tokenizer->adds_bos());
  return evaluation;
}

}  // namespace octet
