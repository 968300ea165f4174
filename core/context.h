// What every stage receives besides its options: log, progress, stop request, device, threads.
#pragma once
#include <atomic>
#include <string>

#include "core/log.h"

namespace octet {

/// Set once by SIGINT or SIGTERM; long loops call check() between units of work.
class StopToken {
 public:
  void request() noexcept { stop_.store(true, std::memory_order_relaxed); }
  bool requested() const noexcept { return stop_.load(std::memory_order_relaxed); }
  /// Throws Interrupted, telling `how_to_resume`, when a stop was requested.
  void check(const std::string& how_to_resume) const;

 private:
  std::atomic<bool> stop_{false};
};

struct Context {
  Log& log;
  StopToken& stop;
  std::string device = "cpu";  ///< "cpu", "cuda" or "cuda:N"
  int threads = 0;             ///< 0: all cores
  std::string gemm_file = {};  ///< where measured choices of GPU kernels are kept, or ""
};

}  // namespace octet
