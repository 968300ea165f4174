// Shared by the .cu files: launch checks and element access by type.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "core/error.h"
#include "kernels/cuda/kernels.h"

namespace octet::cuda {

/// Throws what the launch before left behind.
inline void check_launch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess) return;
  throw Error(std::string("CUDA refused ") + kernel + ": " + cudaGetErrorString(status),
              "a launch that succeeds on this device",
              "check the device with nvidia-smi, or run with --device cpu");
}

inline cudaStream_t as_stream(void* stream) {
  return static_cast<cudaStream_t>(stream);
}

__device__ inline float to_float(float v) {
  return v;
}
__device__ inline float to_float(__half v) {
  return __half2float(v);
}
__device__ inline float to_float(__nv_bfloat16 v) {
  return __bfloat162float(v);
}

template <typename T>
__device__ inline T from_float(float v);
template <>
__device__ inline float from_float<float>(float v) {
  return v;
}
template <>
__device__ inline __half from_float<__half>(float v) {
  return __float2half_rn(v);
}
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float v) {
  return __float2bfloat16_rn(v);
}

/// Of the current device.
inline int64_t device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  if (cudaGetDevice(&device) != cudaSuccess) check_launch("cudaGetDevice");
  if (cudaDeviceGetAttribute(&value, attribute, device) != cudaSuccess) {
    check_launch("cudaDeviceGetAttribute");
  }
  return value;
}

/// Lets the next kernel of the stream begin if it was launched to overlap, then waits until what
/// ran before this one has ended, if this one was. Nothing that other kernels write may be read,
/// and nothing written, before.
__device__ inline void wait_for_predecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Whether the current device knows launches that overlap (compute capability 9.0).
inline bool can_overlap() {
  int device = 0, major = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         major >= 9;
}

/// Launches `kernel`; overlap: it may begin before the kernel ahead of it has ended, and calls
/// wait_for_predecessor().
template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), dim3 blocks, dim3 threads, size_t shared, bool overlap,
            void* stream, Args... args) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared;
  config.stream = as_stream(stream);
  cudaLaunchAttribute early = {};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &early;
  config.numAttrs = overlap && can_overlap() ? 1 : 0;
  cudaLaunchKernelEx(&config, kernel, args...);  // check_launch reads its error
}

constexpr const char* kComputeDtypes = "F32, F16 or BF16";

/// Error unless kernels have an instance for `type`.
inline void check_type(Dtype type, const char* kernel) {
  if (!is_compute_dtype(type)) refuse_dtype(type, kernel, kComputeDtypes);
}

/// Half precision: what tensor cores multiply.
constexpr bool is_16_bit(Dtype type) {
  return type == Dtype::kF16 || type == Dtype::kBF16;
}

/// call(T{}) with the C++ type of `type`; Error where there is none.
template <typename Call>
void with_type(Dtype type, const Call& call) {
  switch (type) {
    case Dtype::kF32:
      return call(float{});
    case Dtype::kF16:
      return call(__half{});
    case Dtype::kBF16:
      return call(__nv_bfloat16{});
    default:
      refuse_dtype(type, "a CUDA kernel", kComputeDtypes);
  }
}

inline bool aligned(const void* p, uintptr_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % bytes == 0;
}

constexpr int kThreads = 256;
constexpr int64_t kMaxBlocks = 1 << 16;  // kernels stride over what is left

inline unsigned blocks_for(int64_t tasks) {
  const int64_t blocks = tasks < kMaxBlocks ? tasks : kMaxBlocks;
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks);
}
constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace octet::cuda
