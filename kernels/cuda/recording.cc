#ifdef OCTET_HAS_CUDA
#include "kernels/cuda/recording.h"

#include <string>

#include "core/error.h"

namespace octet::cuda {

void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(std::string(what) + ": " + cudaGetErrorString(status), "a working CUDA device",
              "check the device with nvidia-smi, or run with --device cpu");
}

Recording::Recording(void* stream, const std::function<void()>& record)
    : stream_(static_cast<cudaStream_t>(stream)) {
  check_cuda(cudaStreamSynchronize(stream_), "a kernel");
  cudaGraph_t graph{};
  check_cuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal),
             "cudaStreamBeginCapture");
  record();
  check_cuda(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
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
  check_cuda(cudaEventRecord(begin_, stream_), "cudaEventRecord");
  check_cuda(cudaGraphLaunch(graph_, stream_), "cudaGraphLaunch");
  check_cuda(cudaEventRecord(end_, stream_), "cudaEventRecord");
  check_cuda(cudaEventSynchronize(end_), "a kernel");
  float ms = 0;
  check_cuda(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
  return 1e3 * ms;
}

}  // namespace octet::cuda
#endif
