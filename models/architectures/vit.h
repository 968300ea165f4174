// Vision transformer (Dosovitskiy et al. 2020) as transformers' ViTForImageClassification has it:
// patches through one convolution without overlap, a class token, learned positions, pre-norm
// blocks, and a classifier of the class token. The names are those of checkpoints, which every
// generation of transformers writes.
#pragma once
#include "models/run/model.h"

namespace octet {

/// Batch: pixels [B, C, H, W] of the size that config.json gives. The patch projection reads
/// flattened patches as a linear layer; being a convolution there, it is kept as a table.
class Vit : public Model {
 public:
  explicit Vit(const ModelConfig& config);
  const Topology& topology() const override { return topology_; }
  Hidden begin(Executor& executor, const Batch& batch, State* state) const override;
  void block(Executor& executor, int i, Hidden& hidden, State* state) const override;
  /// Class scores [B, classes].
  at::Tensor end(Executor& executor, Hidden& hidden, bool last_only) const override;
  State new_state(const Executor& executor, int64_t batch, int64_t capacity) const override;

 private:
  struct Block {
    Id norm_before, qkv, o, norm_after, up, down;
  };
  void add_tables();
  Block add_block(int block);
  void add_folds(const Block& ids);
  at::Tensor patches(const at::Tensor& pixels) const;  ///< [B, patches, C * P * P]
  at::Tensor attention(Executor& executor, const Block& ids, const Activation& input) const;
  ModelConfig config_;
  Topology topology_;
  std::vector<Block> blocks_;
  Id final_norm_, classifier_;
};

}  // namespace octet
