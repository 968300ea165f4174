#include "models/run/bucket_process_group.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <chrono>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace octet {
namespace {

constexpr int64_t kBucket = int64_t{1} << 22;  // elements that travel together

}  // namespace

void BucketProcessGroup::sum(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> bucket;
  int64_t held = 0;
  for (const at::Tensor& tensor : tensors) {
    const bool other = !bucket.empty() && bucket.front().scalar_type() != tensor.scalar_type();
    if (!bucket.empty() && (other || held + tensor.numel() > kBucket)) {
      sum_bucket(bucket);
      bucket.clear(), held = 0;
    }
    bucket.push_back(tensor);
    held += tensor.numel();
  }
  if (!bucket.empty()) sum_bucket(bucket);
}

void BucketProcessGroup::sum_bucket(const std::vector<at::Tensor>& bucket) {
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> flat;
  for (const at::Tensor& tensor : bucket) flat.push_back(tensor.reshape({-1}));
  const at::Tensor joined = sum_flat(at::cat(flat));
  int64_t first = 0;
  for (const at::Tensor& tensor : bucket) {
    tensor.copy_(joined.narrow(0, first, tensor.numel()).view(tensor.sizes()));
    first += tensor.numel();
  }
}

c10::intrusive_ptr<c10d::Store> open_store(const ProcessGroupOptions& options) {
  c10d::TCPStoreOptions store;
  store.port = static_cast<std::uint16_t>(options.port);
  store.isServer = options.rank == 0 && !options.hosted;
  if (!options.hosted) store.numWorkers = static_cast<std::size_t>(options.size);
  store.waitWorkers = !options.hosted;
  store.timeout = std::chrono::seconds(120);
  // A restarted group must not meet what the one before left.
  return c10::make_intrusive<c10d::PrefixStore>(
      fmt::format("octet/{}", options.attempt),
      c10::make_intrusive<c10d::TCPStore>(options.address, store));
}

}  // namespace octet
