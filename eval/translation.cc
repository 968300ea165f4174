#include "eval/translation.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "eval/translation_scores.h"
#include "models/data/pair_samples.h"
#include "models/decoding/translation.h"
#include "models/source_model.h"

namespace octet {
namespace {

constexpr int64_t kMostBeams = 64;

Translations translate(LoadedModel& model, const TranslationData& data,
                       const TranslationSettings& settings, Context& context) {
  Translator translator(*model.model, *model.executor, *data.model);
  translator.generation().beams = settings.beams;
  std::vector<std::string> sources;
  for (const SentencePair& pair : data.pairs) sources.push_back(pair.source);
  TranslationBatch limits;
  limits.sentences = settings.batch;
  context.log.info(fmt::format("translate {} sentences with {}", sources.size(), model.scheme));
  return translator.translate(sources, limits, context);
}

TaskScores task_scores(const TranslationEvaluation& evaluation, const TranslationData& data,
                       const TranslationSettings& settings,
                       const std::vector<std::string>& reference) {
  TranslationScores scored = score_translations(data.pairs, evaluation.outputs, reference);
  TaskScores scores;
  scores.task = "translation";
  scores.scheme = evaluation.forced.scheme;
  scores.signature = fmt::format("{}|beam:{}", evaluation.forced.signature, settings.beams);
  scores.comparison = evaluation.forced.scores;
  scores.scores = std::move(scored.scores);
  scores.examples = std::move(scored.examples);
  return scores;
}

}  // namespace

TranslationData open_translation_data(const SourceModel& model, const std::string& data,
                                      int64_t count, Context& context) {
  require_option(data, "data", "sentence pairs to score");
  TranslationData opened;
  opened.model = &model;
  opened.pairs = read_pairs(data, Split::kTest, &context.log);
  const auto all = std::ssize(opened.pairs);
  if (all == 0) throw Error("no sentence pairs in " + data, "at least one", "give other data");
  if (count > 0 && count < all) opened.pairs.resize(static_cast<size_t>(count));
  opened.forced.samples =
      make_pair_samples(opened.pairs, open_marian_tokenizer(model), model.config(), 0);
  opened.forced.used = opened.forced.samples->size();
  opened.forced.signature =
      fmt::format("sentences:{}/{}|log-probs:float32", opened.forced.used, all);
  return opened;
}

std::vector<TranslationEvaluation> evaluate_translations(const std::vector<LoadedModel*>& models,
                                                         LoadedModel* reference,
                                                         const TranslationData& data,
                                                         const TranslationSettings& settings,
                                                         Context& context) {
  if (settings.beams < 1 || settings.beams > kMostBeams) {
    throw UsageError(fmt::format("--beam {}", settings.beams), fmt::format("1..{}", kMostBeams),
                     "4 is common, 1 is greedy");
  }
  std::vector<Evaluation> forced =
      evaluate_models(models, reference, data.forced, settings.batch, settings.seed, context);
  std::vector<TranslationEvaluation> evaluations(models.size());
  std::vector<std::string> expected;
  for (size_t m = 0; m < models.size(); ++m) {
    Translations made = translate(*models[m], data, settings, context);
    evaluations[m].outputs = std::move(made.text);
    evaluations[m].seconds = made.seconds;
    evaluations[m].target_tokens = made.target_tokens;
    evaluations[m].forced = std::move(forced[m]);
    if (models[m] == reference) expected = evaluations[m].outputs;
  }
  if (reference != nullptr && expected.empty())
    expected = translate(*reference, data, settings, context).text;
  for (size_t m = 0; m < models.size(); ++m) {
    const bool alone = models[m] == reference;
    evaluations[m].scores =
        task_scores(evaluations[m], data, settings, alone ? std::vector<std::string>() : expected);
  }
  return evaluations;
}

TranslationEvaluation evaluate_translation(const SourceModel& model, const EvalOptions& options,
                                           Context& context) {
  const TranslationData data = open_translation_data(model, options.data, options.windows, context);
  EvalModels models = load_eval_models(model, options, context);
  TranslationSettings settings;
  settings.beams = options.beam;
  if (options.batch > 0) settings.batch = options.batch;
  settings.seed = static_cast<uint64_t>(options.seed);
  return evaluate_translations({&models.model}, models.reference ? &*models.reference : nullptr,
                               data, settings, context)
      .front();
}

}  // namespace octet
