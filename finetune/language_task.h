// Next-token prediction over windows of text.
#pragma once
#include <vector>

#include "datasets/text.h"
#include "finetune/task.h"

namespace octet {

class LanguageTask : public Task {
 public:
  /// batch: windows in a batch; eval_windows: how many of `eval` are scored, 0 for all. Error when
  /// `train` has fewer windows than a batch.
  LanguageTask(TokenWindows train, TokenWindows eval, int64_t batch, int64_t eval_windows,
               uint64_t seed);
  TaskBatch train(uint64_t index) const override;
  int64_t eval_batches() const override;
  TaskBatch eval(int64_t index) const override;

 private:
  TokenWindows train_, eval_;
  int64_t batch_, eval_windows_;
  uint64_t seed_;
  mutable uint64_t epoch_ = ~uint64_t{0};  // whose order is held
  mutable std::vector<uint64_t> order_;
};

}  // namespace octet
