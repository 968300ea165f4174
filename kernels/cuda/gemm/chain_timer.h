// Times a GEMM as a model runs it: behind a kernel that makes its activations, each free to begin
// before its predecessor has ended, with weights that no cache holds.
#pragma once
#include <functional>
#include <vector>

#include "kernels/cuda/gemm/int8_gemm.h"

namespace octet::cuda {

/// Throws octet::Error where `status` is none of success.
void check_cuda(int status, const char* what);

/// On a stream of its own; work on g's operands must have ended.
class ChainTimer {
 public:
  /// Copies g's weights until they are twice the L2 cache, or as often as memory allows.
  explicit ChainTimer(const Int8Gemm& g);
  ~ChainTimer();
  ChainTimer(const ChainTimer&) = delete;
  ChainTimer& operator=(const ChainTimer&) = delete;

  /// run(g, stream) launches it, or says that it cannot. The median time of it and a quantize_rows
  /// of its activations' size ahead of it, in a chain of one for each copy, recorded in a graph;
  /// negative where `run` cannot.
  using Run = std::function<bool(const Int8Gemm&, void* stream)>;
  double microseconds(const Run& run) const;

 private:
  Int8Gemm g_;
  void produce() const;
  std::vector<int8_t*> copies_;  // the first is g's own
  void* tokens_ = nullptr;       // [m, k] FP16, [m, k] INT8, [m] scales
  void* stream_ = nullptr;
};

}  // namespace octet::cuda
