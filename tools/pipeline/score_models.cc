#include "tools/pipeline/score_models.h"

#include "eval/classification.h"
#include "eval/translation.h"

namespace octet {
namespace {

uint64_t seed_of(const EvalOptions& options) {
  return static_cast<uint64_t>(options.seed);
}

std::vector<TaskScores> score_texts(const std::vector<LoadedModel*>& models,
                                    const EvalOptions& options, Context& context) {
  const EvalData data =
      open_eval_data(options.model, options.data, options.length, options.windows);
  std::vector<TaskScores> all;
  for (const Evaluation& evaluation :
       evaluate_models(models, models.front(), data, 0, seed_of(options), context)) {
    TaskScores scores;
    scores.task = "language";
    scores.scheme = evaluation.scheme;
    scores.signature = data.signature;
    scores.comparison = evaluation.scores;
    all.push_back(std::move(scores));
  }
  return all;
}

std::vector<TaskScores> score_translations(const std::vector<LoadedModel*>& models,
                                           const EvalOptions& options, Context& context) {
  const TranslationData data =
      open_translation_data(options.model, options.data, options.windows, context);
  std::vector<TaskScores> all;
  for (auto& evaluation :
       evaluate_translations(models, models.front(), data,
                             {options.beam, options.batch, seed_of(options)}, context)) {
    all.push_back(std::move(evaluation.scores));
  }
  return all;
}

std::vector<TaskScores> score_images(const std::vector<LoadedModel*>& models,
                                     const EvalOptions& options, Context& context) {
  const ClassificationData data =
      open_classification_data(options.model, options.data, options.windows);
  std::vector<TaskScores> all;
  for (auto& evaluation : evaluate_classifications(models, models.front(), data, options.batch,
                                                   seed_of(options), context)) {
    all.push_back(std::move(evaluation.scores));
  }
  return all;
}

}  // namespace

std::vector<TaskScores> score_models(const std::vector<LoadedModel*>& models,
                                     const EvalOptions& options, Context& context) {
  switch (task_kind(models.front()->config)) {
    case TaskKind::kTranslation:
      return score_translations(models, options, context);
    case TaskKind::kVision:
      return score_images(models, options, context);
    case TaskKind::kLanguage:
      break;
  }
  return score_texts(models, options, context);
}

}  // namespace octet
