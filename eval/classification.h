// Compares vision models: the class they assign to each image, and the likelihood of the correct
// one.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "eval/evaluate.h"
#include "eval/task_scores.h"

namespace octet {

/// What is classified, opened once for all models: the first images of DATA.
struct ClassificationData {
  std::vector<std::string> labels;  ///< names of the model's classes
  EvalData images;
};

/// DATA (idx: or images:, of data with splits the test split) as `model` reads it; count: images to
/// use, 0 for all.
ClassificationData open_classification_data(const SourceModel& model, const std::string& data,
                                            int64_t count);

struct ClassificationEvaluation {
  TaskScores scores;             ///< accuracy, NLL, KL, images whose answer changed
  std::vector<int64_t> answers;  ///< a class of each image
  Evaluation run;                ///< the comparison, its time and counters
};

/// Each model against `reference` unless null; it may be one of them, whose answers then stand
/// alone. `batch` images at once (0: 64). Resamples of standard errors are of images; they depend
/// on `seed`.
std::vector<ClassificationEvaluation> evaluate_classifications(
    const std::vector<LoadedModel*>& models, LoadedModel* reference, const ClassificationData& data,
    int64_t batch, uint64_t seed, Context& context);

/// `octet eval` of a vision model.
ClassificationEvaluation evaluate_classification(const SourceModel& model,
                                                 const EvalOptions& options, Context& context);

}  // namespace octet
