#include "models/data/next_token.h"

#include <ATen/ATen.h>

namespace octet {

TaskBatch next_token_batch(at::Tensor ids) {
  const int64_t length = ids.size(1);
  TaskBatch batch;
  batch.inputs.ids = std::move(ids);
  batch.targets = at::full_like(batch.inputs.ids, kNoTarget);
  batch.targets.narrow(1, 0, length - 1).copy_(batch.inputs.ids.narrow(1, 1, length - 1));
  return batch;
}

}  // namespace octet
