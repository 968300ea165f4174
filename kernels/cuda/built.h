// Whether the CUDA kernels are part of this program.
#pragma once

namespace octet::cuda {

/// False in a build without nvcc: every function of kernels/cuda then throws octet::Error
/// (stubs.cc), and models/run/device.h opens no GPU.
bool is_built();

}  // namespace octet::cuda
