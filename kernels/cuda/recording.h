// Kernels recorded once as a CUDA graph, and the time of its replay.
#pragma once
#include <cuda_runtime_api.h>

#include <functional>

namespace octet::cuda {

/// Throws octet::Error where `status` is none of success.
void check_cuda(cudaError_t status, const char* what);

/// What `record` puts on `stream`, as one launch. The stream is not the default one, which cannot
/// be captured; `record` neither allocates nor waits: it has run once before.
class Recording {
 public:
  Recording(void* stream, const std::function<void()>& record);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  /// Replays it and waits. Microseconds of the device from begin to end.
  double microseconds() const;

 private:
  cudaStream_t stream_;
  cudaGraphExec_t graph_{};
  cudaEvent_t begin_{}, end_{};
};

}  // namespace octet::cuda
