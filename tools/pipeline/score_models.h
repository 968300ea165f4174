// The scores of a run: what each model does at its task, beside the float reference.
#pragma once
#include <string>
#include <vector>

#include "core/context.h"
#include "eval/task_scores.h"
#include "quant/load_model.h"

namespace octet {

struct ScoreOptions {
  std::string data;
  int64_t length = 1024;  ///< of a window of text
  int64_t samples = 0;    ///< windows, sentences or images; 0: all
  int64_t beam = 4, batch = 32;
  uint64_t seed = 0;
};

/// Every model of `models`, the first of which is the reference, by the task of its
/// architecture. Tokenizer or preprocessing of `model` read the data.
std::vector<TaskScores> score_models(const SourceModel& model,
                                     const std::vector<LoadedModel*>& models,
                                     const ScoreOptions& options, Context& context);

}  // namespace octet
