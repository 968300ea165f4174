// The processes that work on one model together.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace octet {

/// As torchrun, Slurm, Open MPI or a Kubernetes Job say it.
struct ProcessGroupOptions {
  int rank = 0, size = 1;
  int local_rank = 0;                 ///< among those of one machine: which GPU is whose
  std::string address = "127.0.0.1";  ///< of rank 0
  int port = 29500;
  bool hosted = false;  ///< the launcher listens at address and port, not rank 0
  int attempt = 0;      ///< how often the launcher has started the group again
};

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
