// Llama family: pre-norm, grouped-query attention, rotary positions, SwiGLU (Touvron et al. 2023;
// names and layouts of transformers' LlamaForCausalLM). registry.h lists its members and how they
// differ; ModelConfig carries the differences to here.
#pragma once
#include "models/run/model.h"

namespace octet {

class Llama : public Model {
 public:
  explicit Llama(const ModelConfig& config);
  const Topology& topology() const override { return topology_; }
  Hidden begin(Executor& executor, const Batch& batch, State* state) const override;
  void block(Executor& executor, int i, Hidden& hidden, State* state) const override;
  at::Tensor end(Executor& executor, Hidden& hidden, bool last_only) const override;
  State new_state(const Executor& executor, int64_t batch, int64_t capacity) const override;

 private:
  struct Block {
    Id input_norm, qkv, o, post_norm, gate_up, down;
    Id q_norm = -1, k_norm = -1;  ///< of config.head_norms
  };
  Block add_block(int block);
  void add_folds(const Block& ids);
  /// Query and key heads [B, H + H_kv, T, D] of qkv [B, T, H + 2 H_kv, D]: normed where the family
  /// does so, then rotated.
  at::Tensor queries_and_keys(Executor& executor, const Block& ids, const at::Tensor& qkv,
                              const at::Tensor& rotary) const;
  at::Tensor attention(Executor& executor, const Block& ids, const Activation& input,
                       const Hidden& hidden, int i, State* state) const;
  ModelConfig config_;
  Topology topology_;
  std::vector<Block> blocks_;
  Id final_norm_, head_;
};

}  // namespace octet
