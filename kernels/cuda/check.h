// The status of calls of the CUDA runtime, for .cc files; .cu files have common.cuh.
#pragma once
#include <cuda_runtime_api.h>

namespace octet::cuda {

/// Throws octet::Error where `status` is none of success.
void check_cuda(cudaError_t status, const char* what);

}  // namespace octet::cuda
