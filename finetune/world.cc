#include "finetune/world.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <chrono>
// The wheel is built with Gloo; its headers ask for the build's own definition.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "core/error.h"

namespace octet {
namespace {

constexpr int64_t kBucket = int64_t{1} << 22;  // elements that travel together

class GlooWorld : public World {
 public:
  explicit GlooWorld(const WorldOptions& options) : rank_(options.rank), size_(options.size) {
    c10d::TCPStoreOptions store;
    store.port = static_cast<std::uint16_t>(options.port);
    store.isServer = options.rank == 0;
    store.numWorkers = static_cast<std::size_t>(options.size);
    store.timeout = std::chrono::seconds(120);
    auto gloo = c10d::ProcessGroupGloo::Options::create(std::chrono::minutes(30));
    gloo->devices.push_back(options.address == "127.0.0.1" || options.address == "localhost"
                                ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                : c10d::ProcessGroupGloo::createDefaultDevice());
    group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(
        c10::make_intrusive<c10d::TCPStore>(options.address, store), options.rank, options.size,
        gloo);
  }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void sum(const std::vector<at::Tensor>& tensors) override {
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
  void barrier() override { group_->barrier()->wait(); }

 private:
  void sum_bucket(const std::vector<at::Tensor>& bucket) {
    const at::NoGradGuard no_gradients;
    std::vector<at::Tensor> flat;
    for (const at::Tensor& tensor : bucket) flat.push_back(tensor.reshape({-1}));
    std::vector<at::Tensor> joined{at::cat(flat).to(at::kCPU)};
    group_->allreduce(joined)->wait();
    int64_t first = 0;
    for (const at::Tensor& tensor : bucket) {
      tensor.copy_(joined[0].narrow(0, first, tensor.numel()).view(tensor.sizes()));
      first += tensor.numel();
    }
  }
  int rank_, size_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

}  // namespace

std::unique_ptr<World> join_world(const WorldOptions& options) {
  if (options.size == 1) return std::make_unique<World>();
  if (options.rank < 0 || options.rank >= options.size) {
    throw UsageError(fmt::format("RANK={} with WORLD_SIZE={}", options.rank, options.size),
                     "a rank in [0, WORLD_SIZE)", "start with torchrun --no-python");
  }
  try {
    return std::make_unique<GlooWorld>(options);
  } catch (const std::exception& e) {
    const std::string text = e.what();
    throw Error(
        fmt::format("\"{}\" while joining {} processes at {}:{}", text.substr(0, text.find('\n')),
                    options.size, options.address, options.port),
        "all processes started, and rank 0 reachable",
        "check MASTER_ADDR, MASTER_PORT and that every rank runs");
  }
}

}  // namespace octet
