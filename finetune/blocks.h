// A model's blocks in training, with all activations kept or only those between blocks.
#pragma once
#include "finetune/losses.h"

namespace octet {

/// begin and all blocks. recompute: gradient checkpointing (Chen et al., "Training Deep Nets with
/// Sublinear Memory Cost", 2016): only what passes between blocks is kept, and each block runs
/// again in the backward, with the generators as they stood. The same gradients to the bit.
Hidden run_blocks(const Runner& runner, const Batch& batch, bool recompute);

}  // namespace octet
