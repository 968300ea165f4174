// The batches of the next step, made on a thread of their own while a step runs.
#pragma once
#include <future>
#include <vector>

#include "finetune/task.h"

namespace octet {

/// Batches have numbers, so what is made ahead is what would be made later.
class Prefetch {
 public:
  /// pinned: into memory that a GPU copies from beside the host.
  Prefetch(const Task& task, bool pinned) : task_(task), pinned_(pinned) {}

  /// Batches `numbers`; those of `next` are begun.
  std::vector<TaskBatch> take(const std::vector<uint64_t>& numbers,
                              const std::vector<uint64_t>& next);
  /// Waits until the batch in preparation is finished; after that the task is free for other use.
  void settle() const;

 private:
  std::future<std::vector<TaskBatch>> begin(const std::vector<uint64_t>& numbers) const;
  const Task& task_;
  bool pinned_;
  std::vector<uint64_t> begun_;
  std::future<std::vector<TaskBatch>> made_;
};

}  // namespace octet
