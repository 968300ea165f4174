#include "kernels/cuda/check.h"

#include <string>

#include "core/error.h"

namespace octet::cuda {

void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(std::string(what) + ": " + cudaGetErrorString(status), "a working CUDA device",
              "check the device with nvidia-smi, or run with --device cpu");
}

}  // namespace octet::cuda
