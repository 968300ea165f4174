#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <optional>

#include "kernels/cuda/recording.h"
#include "models/run/cuda.h"
#include "tools/bench/kernel_bench.h"

namespace octet {
namespace {

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

/// One call a copy, behind a first round that tunes and allocates.
void record(const std::function<void(int64_t)>& call, int64_t copies,
            std::optional<cuda::Recording>& recording) {
  const auto round = [&] {
    for (int64_t i = 0; i < copies; ++i) call(i);
  };
  round();
  recording.emplace(current_cuda_stream(), round);
}

}  // namespace

KernelTiming time_kernel(const KernelCase& what, int64_t rounds) {
  constexpr int kWarmUp = 3;
  const OwnStream own;
  std::optional<cuda::Recording> call, base;
  record(what.call, what.copies, call);
  if (what.base) record(what.base, what.copies, base);
  const auto copies = static_cast<double>(what.copies);
  std::vector<double> us, base_us;
  for (int64_t i = -kWarmUp; i < rounds; ++i) {
    const double mine = call->microseconds() / copies;
    const double other = base ? base->microseconds() / copies : 0;
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
  // The driver's copy, which is torch's of equal layouts, and torch's kernel: the faster one is
  // what memory gives.
  KernelCase copy, copy_kernel;
  copy.call = [&](int64_t) { to.copy_(from); };
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
