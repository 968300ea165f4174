// Attention as free functions over tensors and a KvCache.
#pragma once
#include <ATen/core/Tensor.h>

#include "models/run/model.h"

namespace octet {

/// Radians a position of each of dim/2 rotary pairs, float32 [dim/2]: theta^(-2i/dim), scaled as
/// `scaling` says, in the order of operations of transformers.
at::Tensor rotary_frequencies(int64_t dim, double theta, const std::optional<RopeScaling>& scaling,
                              at::Device device);

/// cos and sin of each position, float32 [T, dim] (first half cosines of dim/2 frequencies, second
/// half sines): angle = position * frequency, in float32 as transformers computes it.
at::Tensor rotary_table(const at::Tensor& positions, const at::Tensor& frequencies);

/// Rotates halves ("rotate_half" layout of Hugging Face): x [B, H, T, D], rotary [T, D].
at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& rotary);

/// Writes k, v [B, H_kv, T, D] behind the filled positions and returns views of what is filled, T
/// included.
KvCache append(KvCache& cache, const State& state, const at::Tensor& k, const at::Tensor& v);

/// softmax(q k^T / sqrt(D)) v for q [B, H, T, D], k and v [B, H_kv, S, D], H a multiple of H_kv.
/// causal: query i sees keys up to S - T + i. key_mask: bool [B, S] of visible keys, or undefined.
/// window (causal only): the last key and the window - 1 before it are seen; 0: all.
/// dropout: of the softmax's values, above 0 in training alone.
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal,
                  const at::Tensor& key_mask, int64_t window = 0, double dropout = 0);

/// softmax(q k^T / sqrt(D)) v for q [B, T, H D] with unit stride along H D and rows equally far
/// apart, where keys and values lie in `cache` at places [B, >= counts] (int32), row by row, the
/// first counts[b] of them; with `causal` query i sees i more. Gives [B, T, H D]. CPU, float32.
at::Tensor attend_places(const at::Tensor& q, const KvCache& cache, const at::Tensor& places,
                         const at::Tensor& counts, bool causal, int64_t heads);

}  // namespace octet
