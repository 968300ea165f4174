// Attention as free functions over tensors and a KvCache.
#pragma once
#include <ATen/core/Tensor.h>

#include "models/model.h"

namespace octet {

/// cos and sin of each position, float32 [T, dim] (first half cosines of dim/2 frequencies, second
/// half sines): angle = position * theta^(-2i/dim), in float32 as transformers computes it.
at::Tensor rotary_table(const at::Tensor& positions, int64_t dim, double theta);

/// Rotates halves ("rotate_half" layout of Hugging Face): x [B, H, T, D], rotary [T, D].
at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& rotary);

/// Writes k, v [B, H_kv, T, D] behind the filled positions and returns views of what is filled, T
/// included.
KvCache append(KvCache& cache, const State& state, const at::Tensor& k, const at::Tensor& v);

/// softmax(q k^T / sqrt(D)) v for q [B, H, T, D], k and v [B, H_kv, S, D], H a multiple of H_kv.
/// causal: query i sees keys up to S - T + i. key_mask: bool [B, S] of visible keys, or undefined.
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal,
                  const at::Tensor& key_mask);

}  // namespace octet
