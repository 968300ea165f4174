// The processes that work on one model together.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "models/run/process_group_options.h"

namespace octet {

class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  /// Each tensor becomes its sum over all processes; in order, in buckets of fixed size, so that
  /// the sums do not depend on timing.
  virtual void sum(const std::vector<at::Tensor>&) {}
  /// Waits for all.
  virtual void barrier() {}
};

/// One process alone; else NCCL where `device` is a GPU (the current one), c10d's Gloo elsewhere.
/// Error when the others cannot be reached.
std::unique_ptr<ProcessGroup> join_process_group(const ProcessGroupOptions& options,
                                                 at::Device device);

}  // namespace octet
