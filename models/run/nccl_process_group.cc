#include <ATen/ATen.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "core/error.h"
#include "models/run/bucket_process_group.h"
#include "models/run/cuda.h"

namespace octet {
namespace {

// The part of NCCL's C interface that is used (stable since 2.0). No header is needed to build, and
// no library to start.
struct UniqueId {
  std::array<char, 128> bytes;
};
using Communicator = void*;
enum { kNcclInt64 = 4, kNcclFloat32 = 7, kNcclFloat64 = 8, kNcclSum = 0 };

class Nccl {
 public:
  Nccl() {
    find("ncclGetUniqueId", get_unique_id);
    find("ncclCommInitRank", init_rank);
    find("ncclAllReduce", all_reduce);
    find("ncclCommAbort", abort);
    find("ncclGetErrorString", error_string);
  }
  int (*get_unique_id)(UniqueId*) = nullptr;
  int (*init_rank)(Communicator*, int, UniqueId, int) = nullptr;
  int (*all_reduce)(const void*, void*, size_t, int, int, Communicator, void*) = nullptr;
  int (*abort)(Communicator) = nullptr;
  const char* (*error_string)(int) = nullptr;

  void check(int result, const char* what) const {
    if (result == 0) return;
    throw Error(fmt::format("\"{}\" from NCCL in {}", error_string(result), what),
                "GPUs and a network that NCCL can use",
                "run again with NCCL_DEBUG=INFO, which says why");
  }

 private:
  template <typename Function>
  static void find(const char* name, Function& function) {
    void* found = dlsym(RTLD_DEFAULT, name);
    if (found == nullptr) {
      if (void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_GLOBAL)) {
        found = dlsym(library, name);
      }
    }
    if (found == nullptr) {
      throw Error(fmt::format("no {} in the process", name), "libnccl.so.2 beside libtorch_cuda",
                  "install torch with its CUDA dependencies");
    }
    std::memcpy(&function, &found, sizeof function);
  }
};

class NcclProcessGroup : public BucketProcessGroup {
 public:
  explicit NcclProcessGroup(const ProcessGroupOptions& options) : BucketProcessGroup(options) {
    const auto store = open_store(options);
    UniqueId id{};
    if (options.rank == 0) {
      nccl_.check(nccl_.get_unique_id(&id), "ncclGetUniqueId");
      store->set("nccl", std::vector<uint8_t>(id.bytes.begin(), id.bytes.end()));
    } else {
      const std::vector<uint8_t> sent = store->get("nccl");
      if (sent.size() != id.bytes.size()) {
        throw Error(fmt::format("an id of {} bytes from rank 0", sent.size()), "128 bytes",
                    "run the same octet on every rank");
      }
      std::copy(sent.begin(), sent.end(), id.bytes.begin());
    }
    nccl_.check(nccl_.init_rank(&communicator_, options.size, id, options.rank),
                "ncclCommInitRank");
  }
  ~NcclProcessGroup() override { nccl_.abort(communicator_); }

  void barrier() override {
    const at::Tensor one = at::ones({1}, at::kLong);
    sum({one});  // copied back to the host, which waits for it
  }

 protected:
  at::Tensor sum_flat(at::Tensor flat) override {
    flat = flat.to(at::kCUDA).contiguous();
    int type = kNcclFloat32;
    if (flat.scalar_type() == at::kLong) type = kNcclInt64;
    if (flat.scalar_type() == at::kDouble) type = kNcclFloat64;
    TORCH_INTERNAL_ASSERT(type != kNcclFloat32 || flat.scalar_type() == at::kFloat);
    nccl_.check(nccl_.all_reduce(flat.const_data_ptr(), flat.mutable_data_ptr(),
                                 static_cast<size_t>(flat.numel()), type, kNcclSum, communicator_,
                                 current_cuda_stream()),
                "ncclAllReduce");
    return flat;
  }

 private:
  Nccl nccl_;
  Communicator communicator_ = nullptr;
};

}  // namespace

std::unique_ptr<ProcessGroup> nccl_process_group(const ProcessGroupOptions& options) {
  return std::make_unique<NcclProcessGroup>(options);
}

}  // namespace octet
