// Who a process is among those that work on one model together. Free of torch.
#pragma once
#include <string>

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

}  // namespace octet
