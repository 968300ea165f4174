// w8a16_small_m (kernels/cuda/gemm/small_m.h) on Hopper.
#pragma once
#include <cstdint>

#include "kernels/cuda/kernels.h"

namespace octet::cuda {

/// False, and nothing done, on other cards and for shapes it does not take (type float32, n % 8 !=
/// 0, k % 16 != 0). 1 <= m <= kSmallMMost; pointers aligned to 16 bytes.
bool w8a16_ring(const void* x, const int8_t* w, const float* scale, const void* bias, Dtype type,
                int64_t m, int64_t n, int64_t k, void* y, void* stream, bool overlap);

}  // namespace octet::cuda
