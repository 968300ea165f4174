// W8A8 GEMM with the scales in its epilogue, in several tile configs of which the fastest is taken.
// y[m, n] = sum_k x[m, k] w[n, k] * row_scale[per_row ? m : 0] * col_scale[n] + bias[n]; products
// and sum are rounded one by one, as cuda::dequantize does, so every tile config gives the same
// bits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/kernels.h"

namespace octet::cuda {

struct Int8Gemm {
  const int8_t* x = nullptr;         ///< [m, k]
  const float* row_scale = nullptr;  ///< [m], or [1] where not per_row
  bool per_row = true;
  const int8_t* w = nullptr;         ///< [n, k]
  const float* col_scale = nullptr;  ///< [n]
  const float* bias = nullptr;       ///< [n] or null
  const void* typed_bias = nullptr;  ///< the same in `type`, for the kernel of few rows
  Dtype type = Dtype::kF16;          ///< of y: kF16 or kBF16
  int64_t m = 0, n = 0, k = 0;       ///< n a multiple of 8, k of 16; pointers aligned to 16 bytes
  void* y = nullptr;                 ///< [m, n]
};

/// One compiled kernel. Plain functions, so that a table of them needs no registration.
struct Int8TileConfig {
  const char* name;  ///< e.g. "sm90 128x256x128 2x1 cooperative"
  int least_arch;    ///< compute capability * 10 from which it runs, e.g. 90
  int most_arch;     ///< and up to which
  /// What `setting` means. kSplits: parts of K that different blocks work on, 0 for stream-K;
  /// kRanks: parts of K of a cluster's blocks, 1 to 8. kSwizzle: rows of tiles that neighbouring
  /// blocks share (for the cache), a power of two, plus 16 * the order in which blocks take tiles:
  /// 0 as CUTLASS guesses, 1 along M, 2 along N.
  enum Setting { kNone, kSplits, kSwizzle, kRanks } setting;
  size_t (*workspace)(const Int8Gemm&, int setting);
  /// False where the shape is not supported. `overlap`: may start before the kernel ahead of it in
  /// the stream has ended (programmatic dependent launch), waiting for it before reading x.
  bool (*run)(const Int8Gemm&, int setting, void* workspace, bool overlap, void* stream);
};

inline size_t no_workspace(const Int8Gemm& /*g*/, int /*setting*/) {
  return 0;
}

/// All compiled tile configs in a fixed order.
const std::vector<Int8TileConfig>& int8_tile_configs();

}  // namespace octet::cuda
