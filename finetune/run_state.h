// The state of a training run, in one file that is replaced whole.
#pragma once
#include <filesystem>

#include "finetune/optimizer.h"
#include "finetune/trainer.h"

namespace octet {

struct RunState {
  int64_t step = 0;  ///< steps done
  TrainResult result;
  int64_t worse = 0;             ///< evaluations in a row without a better one
  std::vector<at::Tensor> best;  ///< values of the leaves at the best evaluation, on the CPU
  std::vector<at::Tensor> mean;  ///< running mean of the leaves beside them, or empty
};

void save_state(const std::filesystem::path& file, const RunState& state, const AdamW& optimizer);

/// Fills leaves, moments and `state`, whose running mean has its shapes already or is empty; false
/// when there is no such file. Error when it does not belong to these leaves.
bool load_state(const std::filesystem::path& file, RunState& state, AdamW& optimizer);

}  // namespace octet
