// Devices by name. libtorch_cuda is loaded on first use, so that the binary starts without it.
#pragma once
#include <c10/core/Device.h>

#include <string>

namespace octet {

/// "cpu", "cuda" or "cuda:N". Error with the loader's message if the GPU cannot be used; UsageError
/// for others.
at::Device open_device(const std::string& name);

/// Waits for all work on the device (nothing on the CPU).
void synchronize(const at::Device& device);

}  // namespace octet
