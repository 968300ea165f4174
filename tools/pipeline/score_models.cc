#include "tools/pipeline/score_models.h"

#include "eval/classification.h"
#include "eval/translation.h"
#include "models/architectures/registry.h"

namespace octet {
namespace {

uint64_t seed_of(const EvalOptions& options) {
  return static_cast<uint64_t>(options.seed);
}

std::vector<TaskScores> score_texts(const SourceModel& model,
                                    const std::vector<LoadedModel*>& models,
                                    const EvalOptions& options, Context& context) {
  const EvalData data = open_eval_data(model, options.data, options.length, options.windows);
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

std::vector<TaskScores> score_translations(const SourceModel& model,
                                           const std::vector<LoadedModel*>& models,
                                           const EvalOptions& options, Context& context) {
  const TranslationData data = open_translation_data(model, options.data, options.windows, context);
  std::vector<TaskScores> all;
  for (auto& evaluation :
       evaluate_translations(models, models.front(), data,
                             {options.beam, options.batch, seed_of(options)}, context)) {
    all.push_back(std::move(evaluation.scores));
  }
  return all;
}

std::vector<TaskScores> score_images(const SourceModel& model,
                                     const std::vector<LoadedModel*>& models,
                                     const EvalOptions& options, Context& context) {
  const ClassificationData data = open_classification_data(model, options.data, options.windows);
  std::vector<TaskScores> all;
  for (auto& evaluation : evaluate_classifications(models, models.front(), data, options.batch,
                                                   seed_of(options), context)) {
    all.push_back(std::move(evaluation.scores));
  }
  return all;
}

}  // namespace

std::vector<TaskScores> score_models(const SourceModel& model,
                                     const std::vector<LoadedModel*>& models,
                                     const EvalOptions& options, Context& context) {
  switch (task_kind(models.front()->config)) {
    case TaskKind::kTranslation:
      return score_translations(model, models, options, context);
    case TaskKind::kVision:
      return score_images(model, models, options, context);
    case TaskKind::kLanguage:
      break;
  }
  return score_texts(model, models, options, context);
}

}  // namespace octet
