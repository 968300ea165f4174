// The scores of a run: what each model does at its task, beside the float reference.
#pragma once
#include <string>
#include <vector>

#include "core/context.h"
#include "eval/evaluate.h"
#include "eval/task_scores.h"
#include "quant/load_model.h"

namespace octet {

/// Every model of `models`, the first of which is the reference, by the task of its architecture.
/// options.model is the one whose tokenizer or preprocessing reads the data.
std::vector<TaskScores> score_models(const std::vector<LoadedModel*>& models,
                                     const EvalOptions& options, Context& context);

}  // namespace octet
