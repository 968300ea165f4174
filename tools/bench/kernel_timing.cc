#ifdef OCTET_HAS_CUDA
#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <cuda_runtime_api.h>

#include "core/error.h"
#include "models/cuda.h"
#include "tools/bench/kernel_bench.h"

namespace octet {
namespace {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(std::string(what) + ": " + cudaGetErrorString(status), "a working CUDA device",
              "check the device with nvidia-smi");
}

/// Torch's current stream is one of its pool's while this lives: the default one cannot be
/// captured.
class OwnStream {
 public:
  OwnStream()
      : before_(guard_.exchangeStream(guard_.getStreamFromGlobalPool(guard_.getDevice()))) {}
  ~OwnStream() { guard_.exchangeStream(before_); }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

 private:
  c10::impl::VirtualGuardImpl guard_{c10::DeviceType::CUDA};
  c10::Stream before_;
};

cudaStream_t stream() {
  return static_cast<cudaStream_t>(current_cuda_stream());
}

/// One call a copy, recorded once and replayed.
class Recording {
 public:
  Recording(const std::function<void(int64_t)>& call, int64_t copies) : copies_(copies) {
    const auto all = [&] {
      for (int64_t i = 0; i < copies; ++i) call(i);
    };
    all();  // tunes and allocates
    check(cudaStreamSynchronize(stream()), "a kernel");
    cudaGraph_t graph{};
    check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal), "capture");
    all();
    check(cudaStreamEndCapture(stream(), &graph), "capture");
    check(cudaGraphInstantiate(&graph_, graph, 0), "cudaGraphInstantiate");
    check(cudaGraphDestroy(graph), "cudaGraphDestroy");
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Recording() {
    cudaGraphExecDestroy(graph_);
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  double microseconds() {
    check(cudaEventRecord(begin_, stream()), "cudaEventRecord");
    check(cudaGraphLaunch(graph_, stream()), "cudaGraphLaunch");
    check(cudaEventRecord(end_, stream()), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "a kernel");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return 1e3 * ms / static_cast<double>(copies_);
  }

 private:
  int64_t copies_;
  cudaGraphExec_t graph_{};
  cudaEvent_t begin_{}, end_{};
};

}  // namespace

KernelTiming time_kernel(const KernelCase& what, int64_t rounds) {
  constexpr int kWarmUp = 3;
  const OwnStream own;
  Recording call(what.call, what.copies);
  std::optional<Recording> base;
  if (what.base) base.emplace(what.base, what.copies);
  std::vector<double> us, base_us;
  for (int64_t i = -kWarmUp; i < rounds; ++i) {
    const double mine = call.microseconds(), other = base ? base->microseconds() : 0;
    if (i < 0) continue;
    us.push_back(mine);
    if (base) base_us.push_back(other);
  }
  KernelTiming timing{what, latency_stats(us), {}};
  if (base) timing.base = latency_stats(base_us);
  return timing;
}

CardSpeed measure_card() {
  constexpr int64_t kBytes = int64_t{1} << 30, kSide = 8192, kRounds = 11;
  const auto half = at::TensorOptions(at::kHalf).device(at::kCUDA);
  const at::Tensor from = at::randint(0, 255, {kBytes}, half.dtype(at::kByte));
  at::Tensor to = at::empty_like(from);
  // The driver's copy and torch's kernel: the faster one is what memory gives.
  KernelCase copy, copy_kernel;
  copy.call = [&](int64_t) {
    check(
        cudaMemcpyAsync(to.data_ptr(), from.data_ptr(), kBytes, cudaMemcpyDeviceToDevice, stream()),
        "copy");
  };
  const at::Tensor words = from.view(at::kFloat);
  at::Tensor sums = to.view(at::kFloat);
  copy_kernel.call = [&](int64_t) { at::neg_out(sums, words); };
  const at::Tensor a = at::randn({kSide, kSide}, half), b = at::randn({kSide, kSide}, half);
  at::Tensor c = at::empty_like(a);
  KernelCase gemm;
  gemm.call = [&](int64_t) { at::mm_out(c, a, b.t()); };
  const double side = kSide;
  const double copied =
      std::min(time_kernel(copy, kRounds).us.p50, time_kernel(copy_kernel, kRounds).us.p50);
  return {2e6 * kBytes / copied, 2e6 * side * side * side / time_kernel(gemm, kRounds).us.p50};
}

}  // namespace octet
#endif
