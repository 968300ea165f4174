#include "kernels/cuda/gemm/chain_timer.h"

#include <algorithm>

#include "kernels/cuda/check.h"
#include "kernels/cuda/recording.h"

namespace octet::cuda {
namespace {

constexpr int kTrials = 5;
constexpr size_t kMostCopies = 128;

}  // namespace

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
  quantize_rows(tokens_, Dtype::kF16, g_.m, g_.k, produced_, produced_scale_, stream_);
}

double ChainTimer::microseconds(const Run& run) const {
  if (!run(g_, stream_))
    return -1;  // and has what it needs now: nothing is allocated while recording
  const Recording chain(stream_, [&] {
    for (int8_t* weights : copies_) {
      Int8Gemm one = g_;
      one.w = weights;
      produce();
      run(one, stream_);
    }
  });
  std::vector<double> times;
  for (int i = -1; i < kTrials; ++i) {
    const double us = chain.microseconds() / static_cast<double>(copies_.size());
    if (i >= 0) times.push_back(us);
  }
  std::nth_element(times.begin(), times.begin() + kTrials / 2, times.end());
  return times[kTrials / 2];
}

}  // namespace octet::cuda
