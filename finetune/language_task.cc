#include "finetune/language_task.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/random.h"

namespace octet {
namespace {

// Each position predicts the next id of its window.
TaskBatch next_token_batch(const std::vector<std::vector<int64_t>>& windows) {
  const auto rows = static_cast<int64_t>(windows.size());
  const auto length = static_cast<int64_t>(windows.front().size());
  TaskBatch batch;
  batch.inputs.ids = at::empty({rows, length}, at::kLong);
  for (int64_t r = 0; r < rows; ++r) {
    std::copy(windows[r].begin(), windows[r].end(),
              batch.inputs.ids.data_ptr<int64_t>() + r * length);
  }
  batch.targets = at::full({rows, length}, kNoTarget, at::kLong);
  batch.targets.narrow(1, 0, length - 1).copy_(batch.inputs.ids.narrow(1, 1, length - 1));
  return batch;
}

}  // namespace

LanguageTask::LanguageTask(TokenWindows train, TokenWindows eval, int64_t batch,
                           int64_t eval_windows, uint64_t seed)
    : train_(std::move(train)),
      eval_(std::move(eval)),
      batch_(batch),
      eval_windows_(eval_windows > 0 ? std::min(eval_windows, eval_.size()) : eval_.size()),
      seed_(seed) {
  if (batch < 1 || batch > train_.size()) {
    throw Error(fmt::format("{} windows in a batch", batch),
                fmt::format("1..{}, the windows of the training text", train_.size()),
                "give more text, shorter windows or a smaller --batch");
  }
}

TaskBatch LanguageTask::train(uint64_t index) const {
  const auto size = static_cast<uint64_t>(train_.size());
  std::vector<std::vector<int64_t>> windows;
  for (uint64_t i = 0; i < static_cast<uint64_t>(batch_); ++i) {
    const uint64_t position = index * static_cast<uint64_t>(batch_) + i;
    if (epoch_ != position / size) {
      epoch_ = position / size;
      order_ = Random(seed_, fmt::format("epoch {}", epoch_)).permutation(size);
    }
    windows.push_back(train_.window(static_cast<int64_t>(order_[position % size])));
  }
  return next_token_batch(windows);
}

int64_t LanguageTask::eval_batches() const {
  return (eval_windows_ + batch_ - 1) / batch_;
}

TaskBatch LanguageTask::eval(int64_t index) const {
  std::vector<std::vector<int64_t>> windows;
  for (int64_t i = index * batch_; i < std::min(eval_windows_, (index + 1) * batch_); ++i) {
    windows.push_back(eval_.window(i));
  }
  return next_token_batch(windows);
}

}  // namespace octet
