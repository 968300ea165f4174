// Marian translation models (Junczys-Dowmunt et al. 2018) as transformers' MarianMTModel has them:
// post-norm encoder and decoder blocks, sinusoidal positions, one embedding for source, target and
// head, a bias on the logits.
#pragma once
#include "models/run/model.h"

namespace octet {

/// Positions begin .. begin + count - 1 as float32 [count, dim]: sines in the first half, cosines
/// in the second (transformers' MarianSinusoidalPositionalEmbedding).
at::Tensor sinusoidal_positions(int64_t begin, int64_t count, int64_t dim);

/// Batch: ids [B, S] and mask of the source, target_ids [B * beams, T] of the target. With a state
/// the first call runs the encoder and keeps its keys and values; later ones give no ids and run
/// the decoder alone. A target row's source is row / beams.
class Marian : public Model {
 public:
  explicit Marian(const ModelConfig& config);
  const Topology& topology() const override { return topology_; }
  Hidden begin(Executor& executor, const Batch& batch, State* state) const override;
  void block(Executor& executor, int i, Hidden& hidden, State* state) const override;
  at::Tensor end(Executor& executor, Hidden& hidden, bool last_only) const override;
  State new_state(const Executor& executor, int64_t batch, int64_t capacity) const override;

 private:
  struct Attention {
    Id in, o, norm;  ///< in: q, k and v together, or q alone where `memory` reads the rest
    Id memory = -1;  ///< k and v of the encoder's output
    bool decoder = false;
  };
  struct Block {
    Attention self, cross;
    Id fc1, fc2, final_norm;
  };
  Block add_block(int block);
  /// cross: reads the encoder's output. The reader of the norm is left to what follows.
  Attention add_attention(int block, const std::string& name, bool cross);
  at::Tensor embedded(Executor& executor, const at::Tensor& ids, const State* state) const;
  at::Tensor positions(int64_t begin, int64_t count) const;
  /// Takes places for the positions of `batch`, and with a source for those of its memory.
  void take_places(const Batch& batch, State& state) const;
  at::Tensor heads(const at::Tensor& x, int64_t count) const;  ///< [B, count * H, T, D]
  Executor::Normed self_attention(Executor& executor, const Attention& ids, const Hidden& hidden,
                                  KvCache* cache, const State* state) const;
  /// Keys and values of the encoder's output side by side, [B, S, 2 D].
  at::Tensor memory_pairs(Executor& executor, Id site, const Hidden& hidden) const;
  KvCache as_heads(const at::Tensor& pairs) const;
  Executor::Normed cross_attention(Executor& executor, const Attention& ids,
                                   const Executor::Normed& input, const Hidden& hidden,
                                   KvCache* cache, const State* state) const;
  ModelConfig config_;
  Topology topology_;
  std::vector<Block> blocks_;
  Id head_;
  at::Tensor positions_;  ///< the first ones, float32 [count, hidden]
};

}  // namespace octet
