// How far a quantized block's output is from the float block's.
#pragma once
#include "models/run/model.h"

namespace octet {

/// Sum over what the block changed (stream, encoder memory) of |out - target|^2 / |target|^2, over
/// real tokens: float32 [], differentiable in `out`.
at::Tensor block_error(const Topology& topology, int block, const Hidden& out,
                       const Hidden& target);

}  // namespace octet
