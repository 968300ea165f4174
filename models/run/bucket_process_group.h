// Sums over processes in buckets of fixed size.
#pragma once
#include <c10/util/intrusive_ptr.h>

#include "models/run/process_group.h"

namespace c10d {
class Store;
}

namespace octet {

/// Tensors travel in order, those of one dtype joined up to a fixed number of elements.
class BucketProcessGroup : public ProcessGroup {
 public:
  explicit BucketProcessGroup(const ProcessGroupOptions& options)
      : rank_(options.rank), size_(options.size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void sum(const std::vector<at::Tensor>& tensors) override;

 protected:
  /// Sums a flat tensor over all, in place or into another.
  virtual at::Tensor sum_flat(at::Tensor flat) = 0;

 private:
  void sum_bucket(const std::vector<at::Tensor>& bucket);
  int rank_, size_;
};

/// Where the processes find each other. Rank 0 hosts it, unless the launcher does.
c10::intrusive_ptr<c10d::Store> open_store(const ProcessGroupOptions& options);

/// NCCL on the current CUDA device. libnccl comes with libtorch_cuda, which is loaded already.
std::unique_ptr<ProcessGroup> nccl_process_group(const ProcessGroupOptions& options);

}  // namespace octet
