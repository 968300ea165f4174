// Attention with many queries on the CPU: float32, softmax in one pass over the keys (Dao et al.
// 2022, "FlashAttention"). Keys hidden by a causal mask are not computed.
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

/// float32 [batch, heads, steps, dim] with arbitrary strides, except for unit stride along dim.
struct HeadsView {
  const float* data;
  int64_t batch_stride, head_stride, step_stride;  ///< in elements
  const float* head(int64_t batch, int64_t head) const {
    return data + batch * batch_stride + head * head_stride;
  }
};

struct AttentionCall {
  HeadsView q;     ///< [batch, heads, queries, dim]
  HeadsView k, v;  ///< [batch, kv_heads, keys, dim]; heads is a multiple of kv_heads
  int64_t batch, heads, kv_heads, queries, keys, dim;
  bool causal;  ///< query i sees keys up to keys - queries + i; keys >= queries then
};

/// y[batch, queries, heads, dim] = softmax(q k^T / sqrt(dim)) v, row-major. A row's bits do not
/// depend on the other rows. A NaN that a query sees makes its row NaN.
void attention(const AttentionCall& call, float* y);

/// As above with the loops of a given level, which must not be above best_level().
void attention(const AttentionCall& call, float* y, Level level);

}  // namespace octet::cpu
