// Batches of next-token prediction.
#pragma once
#include "models/data/samples.h"

namespace octet {

/// ids: int64 [B, length]; each position's target is the next id, the last one has none.
TaskBatch next_token_batch(at::Tensor ids);

}  // namespace octet
