#include "kernels/cuda/gemm/w8a16_ring.h"

#include "kernels/cuda/gemm/w8a16_ring.cuh"

namespace octet::cuda {
namespace {

/// Two atoms a step; 4 warps bring the tokens, 3 where registers run out.
template <int kTokens, int kGroups, int kStages, int kTokenWarps = 4>
using Shape = ring::Shape<kTokens, kGroups, 2, kStages, 1, 2, kTokenWarps>;

}  // namespace

bool w8a16_ring(const void* x, const int8_t* w, const float* scale, const void* bias, Dtype type,
                int64_t m, int64_t n, int64_t k, void* y, void* stream, bool overlap) {
  if (!is_16_bit(type) || n % 8 != 0 || k % 16 != 0 ||
      device_attribute(cudaDevAttrComputeCapabilityMajor) != 9) {
    return false;
  }
  const int64_t processors = device_attribute(cudaDevAttrMultiProcessorCount);
  const ring::WideLinear g{x, w, scale, bias, type, m, n, k, y};
  // Tiles of 128 rows bring the tokens half as often; of 64 they leave more blocks.
  const bool wide = ceil_div(n, 64) > 2 * processors;
  if (m <= 8) {
    return wide ? ring::run_wide<Shape<8, 2, 5>>(g, overlap, stream)
                : ring::run_wide<Shape<8, 1, 9>>(g, overlap, stream);
  }
  if (m <= 16) {
    return wide ? ring::run_wide<Shape<16, 2, 5>>(g, overlap, stream)
                : ring::run_wide<Shape<16, 1, 8>>(g, overlap, stream);
  }
  if (m > 32 && wide) return ring::run_wide<Shape<64, 2, 3, 3>>(g, overlap, stream);
  return ring::run_wide<Shape<32, 2, 4>>(g, overlap, stream);
}

}  // namespace octet::cuda
