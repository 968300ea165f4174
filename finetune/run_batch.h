// A batch through student and teacher.
#pragma once
#include "finetune/trainer.h"

namespace octet {

/// torch's mixed precision while in scope and `on`: matrix products in bfloat16, leaves in float32.
class Autocast {
 public:
  Autocast(at::Device device, bool on);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType type_;
  bool on_;
};

/// Sums of the losses of one batch (LossSums::read). backward: also adds gradient * scale to every
/// leaf, and leaves out what only reports (the teacher, where the loss does not name it).
at::Tensor run_batch(const TrainSetup& setup, const TaskBatch& batch, const TrainerOptions& options,
                     bool backward, double scale);

}  // namespace octet
