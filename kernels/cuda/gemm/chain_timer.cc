#ifdef OCTET_HAS_CUDA
#include "kernels/cuda/gemm/chain_timer.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace octet::cuda {
namespace {

constexpr int kTrials = 5;
constexpr size_t kMostCopies = 128;

class Event {
 public:
  Event() { check_cuda(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(void* stream) const {
    check_cuda(cudaEventRecord(event_, as_stream(stream)), "cudaEventRecord");
  }
  double microseconds_since(const Event& begin) const {
    float ms = 0;
    check_cuda(cudaEventSynchronize(event_), "cudaEventSynchronize");
    check_cuda(cudaEventElapsedTime(&ms, begin.event_, event_), "cudaEventElapsedTime");
    return 1e3 * ms;
  }

 private:
  cudaEvent_t event_{};
};

/// What `record` puts on the stream, as one launch.
class Graph {
 public:
  Graph(void* stream, const std::function<void()>& record) {
    cudaGraph_t graph{};
    check_cuda(cudaStreamBeginCapture(as_stream(stream), cudaStreamCaptureModeThreadLocal),
               "cudaStreamBeginCapture");
    record();
    check_cuda(cudaStreamEndCapture(as_stream(stream), &graph), "cudaStreamEndCapture");
    const cudaError_t status = cudaGraphInstantiate(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    check_cuda(status, "cudaGraphInstantiate");
  }
  ~Graph() { cudaGraphExecDestroy(graph_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(void* stream) const {
    check_cuda(cudaGraphLaunch(graph_, as_stream(stream)), "cudaGraphLaunch");
  }

 private:
  cudaGraphExec_t graph_{};
};

}  // namespace

void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(std::string(what) + ": " + cudaGetErrorString(status), "a working CUDA device",
              "check the device with nvidia-smi, or run with --device cpu");
}

ChainTimer::ChainTimer(const Int8Gemm& g, int64_t rows) : g_(g), copies_{const_cast<int8_t*>(g.w)} {
  cudaStream_t stream{};
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  stream_ = stream;
  g_.m = rows;
  take_tokens(g);
  if (ready()) take_weights();
}

/// One piece of memory: FP16 [m, k] for produce(), INT8 [m, k] of its results, INT8 [m, k] of g's
/// activations, results [m, n], scales [m] twice. n is a multiple of 8, k of 16.
void ChainTimer::take_tokens(const Int8Gemm& g) {
  const auto values = static_cast<size_t>(g_.m * g_.k), results = static_cast<size_t>(g_.m * g_.n);
  const size_t room = 4 * values + 4 * results + 8 * static_cast<size_t>(g_.m);
  if (cudaMalloc(&tokens_, room) != cudaSuccess) {
    cudaGetLastError();
    tokens_ = nullptr;
    return;
  }
  check_cuda(cudaMemsetAsync(tokens_, 0, room, as_stream(stream_)), "cudaMemsetAsync");
  produced_ = static_cast<int8_t*>(tokens_) + 2 * values;
  int8_t* const x = produced_ + values;
  for (int64_t row = 0; row < g_.m; row += g.m) {
    check_cuda(
        cudaMemcpyAsync(x + row * g.k, g.x, static_cast<size_t>(std::min(g.m, g_.m - row) * g.k),
                        cudaMemcpyDeviceToDevice, as_stream(stream_)),
        "a copy");
  }
  g_.x = x, g_.y = x + values;
  auto* const scales = reinterpret_cast<float*>(x + values + 4 * results);
  if (g.per_row) g_.row_scale = scales;
  produced_scale_ = scales + g_.m;
}

void ChainTimer::take_weights() {
  int device = 0, cache = 0;
  check_cuda(cudaGetDevice(&device), "cudaGetDevice");
  check_cuda(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, device), "the L2 cache's size");
  const auto bytes = static_cast<size_t>(g_.n * g_.k);
  const size_t wanted = std::min(2 * static_cast<size_t>(cache) / bytes + 2, kMostCopies);
  while (copies_.size() < wanted) {
    void* copy = nullptr;
    if (cudaMalloc(&copy, bytes) != cudaSuccess) {
      cudaGetLastError();  // measured warmer, then
      break;
    }
    copies_.push_back(static_cast<int8_t*>(copy));
    check_cuda(cudaMemcpyAsync(copy, g_.w, bytes, cudaMemcpyDeviceToDevice, as_stream(stream_)),
               "a copy");
  }
}

ChainTimer::~ChainTimer() {
  for (size_t i = 1; i < copies_.size(); ++i) cudaFree(copies_[i]);
  cudaFree(tokens_);
  cudaStreamDestroy(as_stream(stream_));
}

void ChainTimer::produce() const {
  quantize_rows(tokens_, Type::kF16, g_.m, g_.k, produced_, produced_scale_, stream_);
}

double ChainTimer::microseconds(const Run& run) const {
  if (!run(g_, stream_))
    return -1;  // and has what it needs now: nothing is allocated while recording
  check_cuda(cudaStreamSynchronize(as_stream(stream_)), "a kernel");
  const Graph chain(stream_, [&] {
    for (int8_t* weights : copies_) {
      Int8Gemm one = g_;
      one.w = weights;
      produce();
      run(one, stream_);
    }
  });
  const Event begin, end;
  std::vector<double> times;
  for (int i = -1; i < kTrials; ++i) {
    begin.record(stream_);
    chain.launch(stream_);
    end.record(stream_);
    const double us = end.microseconds_since(begin) / static_cast<double>(copies_.size());
    if (i >= 0) times.push_back(us);
  }
  std::nth_element(times.begin(), times.begin() + kTrials / 2, times.end());
  return times[kTrials / 2];
}

}  // namespace octet::cuda
#endif
