#include "finetune/prefetch.h"

#include <ATen/ATen.h>
#include <omp.h>

namespace octet {
namespace {

void pin(TaskBatch& batch) {
  Batch& inputs = batch.inputs;
  for (at::Tensor* tensor : {&inputs.ids, &inputs.positions, &inputs.mask, &inputs.target_ids,
                             &inputs.target_mask, &inputs.pixels, &batch.targets}) {
    if (tensor->defined()) *tensor = tensor->pin_memory();
  }
}

std::vector<TaskBatch> make(const Task& task, const std::vector<uint64_t>& numbers, bool pinned) {
  std::vector<TaskBatch> batches;
  for (const uint64_t number : numbers) {
    batches.push_back(task.train(number));
    if (pinned) pin(batches.back());
  }
  return batches;
}

}  // namespace

std::future<std::vector<TaskBatch>> Prefetch::begin(const std::vector<uint64_t>& numbers) const {
  return std::async(std::launch::async, [&task = task_, numbers, pinned = pinned_] {
    omp_set_num_threads(1);  // of this thread alone: the step has the others
    return make(task, numbers, pinned);
  });
}

std::vector<TaskBatch> Prefetch::take(const std::vector<uint64_t>& numbers,
                                      const std::vector<uint64_t>& next) {
  if (!made_.valid() || begun_ != numbers) {
    settle();
    made_ = begin(numbers);
  }
  std::vector<TaskBatch> batches = made_.get();
  begun_ = next;
  if (!next.empty()) made_ = begin(next);
  return batches;
}

void Prefetch::settle() const {
  if (made_.valid()) made_.wait();
}

}  // namespace octet
