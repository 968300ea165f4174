// Models side by side over the same samples, position by position, with the right answers given
// (teacher forcing).
#pragma once
#include <cstdint>
#include <vector>

#include "core/log.h"
#include "eval/score.h"
#include "models/data/samples.h"
#include "quant/load_model.h"

namespace octet {

/// What one model did with a batch, and the time it took.
struct ScoredBatch {
  std::vector<WindowScores>
      samples;  ///< row by row of the batch; positions without target left out
  double seconds = 0;
};

/// Scores each of `models` on the batch, against `reference` unless null (it may be one of them;
/// it runs once). At most `bytes` of float32 logits per model are in memory at a time, if the
/// model's end treats each position separately. A classifier has one position a row.
std::vector<ScoredBatch> score_batch(const std::vector<LoadedModel*>& models,
                                     LoadedModel* reference, const TaskBatch& batch,
                                     bool positionwise, int64_t bytes = int64_t{256} << 20);

}  // namespace octet
