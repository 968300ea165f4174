#include "models/run/device.h"

#include <ATen/Context.h>
#include <ATen/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <fstream>

#include "core/error.h"
#include "kernels/cpu/features.h"
#include "kernels/cuda/built.h"
#include "models/run/hardware.h"

namespace octet {
namespace {

void load_cuda() {
  if (!cuda::is_built()) {
    throw Error("a build without CUDA", "a build with nvcc",
                "use --device cpu, or build where nvcc is found");
  }
  // No hasCUDA() before this: torch keeps the answer it gives first, and without the library that
  // is no.
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw Error(
        fmt::format("\"{}\" while loading libtorch_cuda.so", dlerror()),
        "torch's CUDA libraries beside the CPU ones",
        "install torch with its CUDA dependencies and put their folders on LD_LIBRARY_PATH");
  }
  if (!at::globalContext().hasCUDA()) {
    throw Error("no usable CUDA device", "a GPU with a driver for CUDA 13", "use --device cpu");
  }
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

}  // namespace

at::Device open_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  const bool indexed = name.starts_with("cuda:") && name.size() > 5 && name.size() < 8 &&
                       name.find_first_not_of("0123456789", 5) == std::string::npos;
  if (name != "cuda" && !indexed) {
    throw UsageError(fmt::format("device \"{}\"", name), "cpu, cuda or cuda:N",
                     "choose one of them");
  }
  load_cuda();
  const int index = indexed ? std::stoi(name.substr(5)) : 0;
  const int count = static_cast<int>(c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount());
  if (index >= count) {
    throw Error(fmt::format("device {} of {} GPUs", name, count), "an existing device",
                "use --device cpu");
  }
  // Kernels of our own run on the current device's stream.
  const at::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
  c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(device);
  return device;
}

void synchronize(const at::Device& device) {
  if (!device.is_cpu()) {
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  }
}

std::string hardware_line(const std::string& name, int threads) {
  const at::Device device = open_device(name);
  std::string line = fmt::format("{}, {} threads, INT8 level {}", cpu_model(), threads,
                                 cpu::name(cpu::best_level()));
  if (!device.is_cpu()) line += fmt::format(", GPU {}", static_cast<int>(device.index()));
  return line;
}

}  // namespace octet
