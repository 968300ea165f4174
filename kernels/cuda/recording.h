// Kernels recorded once as a CUDA graph, and the time of its replay.
#pragma once
#include <functional>

struct CUgraphExec_st;  // what cudaGraphExec_t and cudaEvent_t point to
struct CUevent_st;

namespace octet::cuda {

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
  void* stream_;  // cudaStream_t
  CUgraphExec_st* graph_ = nullptr;
  CUevent_st *begin_ = nullptr, *end_ = nullptr;
};

}  // namespace octet::cuda
