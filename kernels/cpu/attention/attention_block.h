// The inner loops of attention, one set per CPU level. Keys and values are packed into panels of
// `width` columns, zero-padded:
//   keys    float [keys / width][dim][width]: transposed, scores come out side by side
//   values  float [dim / width][keys][width]
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

inline constexpr int64_t kQueryBlock = 24;  ///< queries of one call of run
inline constexpr int64_t kKeyBlock = 512;   ///< keys between two corrections of the running sums

/// Packed keys and values of one head, and one block of its queries.
struct AttentionBlock {
  const float* q;  ///< first query
  int64_t q_stride, queries, dim;
  const float *keys, *values;
  int64_t padded_keys;  ///< rows of a panel of values
  int64_t visible;      ///< keys that the first query sees
  int64_t step;         ///< further keys that each next query sees: 1 (causal) or 0
  float scale;          ///< of the scores
};

struct AttentionKernels {
  int64_t width;
  /// k: `keys` rows of dim, stride apart -> panels first to last.
  void (*pack_keys)(const float* k, int64_t stride, int64_t keys, int64_t dim, float* panel);
  int64_t (*scratch_floats)(int64_t dim);
  /// y: rows y_stride apart. scratch: scratch_floats(dim) floats.
  void (*run)(const AttentionBlock& block, float* scratch, float* y, int64_t y_stride);
};

const AttentionKernels& attention_kernels(Level level);
const AttentionKernels& attention_kernels_portable();
const AttentionKernels& attention_kernels_avx2();
const AttentionKernels& attention_kernels_avx512();

}  // namespace octet::cpu
