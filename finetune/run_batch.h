// A batch through student and teacher.
#pragma once
#include "finetune/trainer.h"

namespace octet {

/// Sums of the losses of one batch (LossSums::read). backward: also adds gradient * scale to every
/// leaf.
at::Tensor run_batch(const TrainSetup& setup, const TaskBatch& batch, const TrainerOptions& options,
                     bool backward, double scale);

}  // namespace octet
