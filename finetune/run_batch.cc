#include "finetune/run_batch.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

#include "finetune/blocks.h"

namespace octet {

Autocast::Autocast(at::Device device, bool on) : type_(device.type()), on_(on) {
  if (!on_) return;
  at::autocast::set_autocast_enabled(type_, true);
  at::autocast::set_autocast_dtype(type_, at::kBFloat16);
}

Autocast::~Autocast() {
  if (!on_) return;
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(type_, false);
}

at::Tensor run_batch(const TrainSetup& setup, const TaskBatch& batch, const TrainerOptions& options,
                     bool backward, double scale) {
  const at::Device device = setup.student.executor->options().device;
  const Batch inputs = batch_on_device(batch.inputs, device);
  const Autocast autocast(device, options.precision == "bfloat16");
  LossOptions loss = parse_loss(options.loss);
  loss.label_smoothing = options.label_smoothing;
  // A step without divergence in its loss has nothing to ask the teacher.
  const Runner teacher = backward && loss.divergence == 0 ? Runner{} : setup.teacher;
  Hidden expected;
  if (teacher) {
    const at::NoGradGuard no_gradients;
    expected = run_blocks(teacher, inputs, false);
  }
  Hidden hidden = run_blocks(setup.student, inputs, options.checkpointing);
  return chunked_loss(setup.student, hidden, teacher, teacher ? &expected : nullptr,
                      on_device(batch.targets, device), setup.task->positionwise(), loss, backward,
                      scale);
}

CurvePoint evaluate_task(const TrainSetup& setup, const TrainerOptions& options) {
  const at::NoGradGuard no_gradients;
  setup.student.executor->train(false);
  at::Tensor sums = no_sums(setup.student.executor->options().device);
  for (int64_t i = 0; i < setup.task->eval_batches(); ++i) {
    sums += run_batch(setup, setup.task->eval(i), options, false, 0);
  }
  return mean_of(LossSums::read(sums), 0);
}

}  // namespace octet
