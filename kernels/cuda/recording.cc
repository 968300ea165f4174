#include "kernels/cuda/recording.h"

#include "kernels/cuda/check.h"

namespace octet::cuda {

Recording::Recording(void* stream, const std::function<void()>& record) : stream_(stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  check_cuda(cudaStreamSynchronize(on), "a kernel");
  cudaGraph_t graph{};
  check_cuda(cudaStreamBeginCapture(on, cudaStreamCaptureModeThreadLocal),
             "cudaStreamBeginCapture");
  record();
  check_cuda(cudaStreamEndCapture(on, &graph), "cudaStreamEndCapture");
  const cudaError_t status = cudaGraphInstantiate(&graph_, graph, 0);
  cudaGraphDestroy(graph);
  check_cuda(status, "cudaGraphInstantiate");
  check_cuda(cudaEventCreate(&begin_), "cudaEventCreate");
  check_cuda(cudaEventCreate(&end_), "cudaEventCreate");
}

Recording::~Recording() {
  cudaGraphExecDestroy(graph_);
  cudaEventDestroy(begin_);
  cudaEventDestroy(end_);
}

double Recording::microseconds() const {
  const auto on = static_cast<cudaStream_t>(stream_);
  check_cuda(cudaEventRecord(begin_, on), "cudaEventRecord");
  check_cuda(cudaGraphLaunch(graph_, on), "cudaGraphLaunch");
  check_cuda(cudaEventRecord(end_, on), "cudaEventRecord");
  check_cuda(cudaEventSynchronize(end_), "a kernel");
  float ms = 0;
  check_cuda(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
  return 1e3 * ms;
}

}  // namespace octet::cuda
