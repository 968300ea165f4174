// The scores of a run: what each model does at its task, beside the float reference.
#pragma once
#include <string>
#include <vector>

#include "core/context.h"
#include "eval/eval_options.h"
#include "eval/task_scores.h"

namespace octet {

struct LoadedModel;
class SourceModel;

/// Every model of `models`, the first of which is the reference, by the task of its
/// architecture. Tokenizer or preprocessing of `model` read the data.
std::vector<TaskScores> score_models(const SourceModel& model,
                                     const std::vector<LoadedModel*>& models,
                                     const EvalOptions& options, Context& context);

}  // namespace octet
