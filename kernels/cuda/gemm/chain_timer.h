// Times a GEMM as a model runs it: behind a kernel that makes its activations, each free to begin
// before its predecessor has ended, with weights that no cache holds.
#pragma once
#include <cuda_runtime_api.h>

#include <functional>
#include <vector>

#include "kernels/cuda/gemm/int8_gemm.h"

namespace octet::cuda {

inline cudaStream_t as_stream(void* stream) {
  return static_cast<cudaStream_t>(stream);
}

/// On a stream of its own; work on g's operands must have ended, nothing of g's is written.
class ChainTimer {
 public:
  /// For `rows` of activations, those of g repeated or cut. Copies g's weights until they are twice
  /// the L2 cache, or as often as memory allows.
  ChainTimer(const Int8Gemm& g, int64_t rows);
  ~ChainTimer();
  ChainTimer(const ChainTimer&) = delete;
  ChainTimer& operator=(const ChainTimer&) = delete;
  /// False where memory did not even allow the activations: then nothing can be timed.
  bool ready() const { return tokens_ != nullptr; }

  /// run(g, stream) launches it, or says that it cannot. The median time of it and a quantize_rows
  /// of its activations' size ahead of it, in a chain of one for each copy, recorded in a graph;
  /// negative where `run` cannot.
  using Run = std::function<bool(const Int8Gemm&, void* stream)>;
  double microseconds(const Run& run) const;

 private:
  void take_tokens(const Int8Gemm& g);
  void take_weights();
  void produce() const;
  Int8Gemm g_;                   // with activations, scales and results of its own
  std::vector<int8_t*> copies_;  // of the weights, the first g's own
  void* tokens_ = nullptr;       // all of them, and room for what produce() reads and writes
  int8_t* produced_ = nullptr;
  float* produced_scale_ = nullptr;
  void* stream_ = nullptr;
};

}  // namespace octet::cuda
