#include "models/run/process_group.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>
// The wheel is built with Gloo; its headers ask for the build's own definition.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "core/error.h"
#include "models/run/bucket_process_group.h"

namespace octet {
namespace {

class GlooProcessGroup : public BucketProcessGroup {
 public:
  explicit GlooProcessGroup(const ProcessGroupOptions& options) : BucketProcessGroup(options) {
    auto gloo = c10d::ProcessGroupGloo::Options::create(std::chrono::minutes(30));
    gloo->devices.push_back(options.address == "127.0.0.1" || options.address == "localhost"
                                ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                : c10d::ProcessGroupGloo::createDefaultDevice());
    group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(open_store(options), options.rank,
                                                         options.size, gloo);
  }
  void barrier() override { group_->barrier()->wait(); }

 protected:
  at::Tensor sum_flat(at::Tensor flat) override {
    std::vector<at::Tensor> joined{flat.to(at::kCPU)};
    group_->allreduce(joined)->wait();
    return joined[0];
  }

 private:
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

}  // namespace

std::unique_ptr<ProcessGroup> join_process_group(const ProcessGroupOptions& options,
                                                 at::Device device) {
  if (options.size == 1) return std::make_unique<ProcessGroup>();
  if (options.rank < 0 || options.rank >= options.size) {
    throw UsageError(fmt::format("RANK={} with WORLD_SIZE={}", options.rank, options.size),
                     "a rank in [0, WORLD_SIZE)", "start with torchrun --no-python");
  }
  try {
    if (device.is_cuda()) return nccl_process_group(options);
    return std::make_unique<GlooProcessGroup>(options);
  } catch (const Error&) {
    throw;
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
