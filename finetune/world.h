// The processes that train one model together.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace octet {

/// As torchrun, Slurm or a Kubernetes Job say it.
struct WorldOptions {
  int rank = 0, size = 1;
  std::string address = "127.0.0.1";  ///< of rank 0
  int port = 29500;
};

class World {
 public:
  virtual ~World() = default;
  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  /// Each tensor becomes its sum over all processes; in order, in buckets of fixed size, so that
  /// the sums do not depend on timing.
  virtual void sum(const std::vector<at::Tensor>&) {}
  /// Waits for all.
  virtual void barrier() {}
};

/// One process alone, or c10d's Gloo. Error when the others cannot be reached.
std::unique_ptr<World> join_world(const WorldOptions& options);

}  // namespace octet
