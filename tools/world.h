// What the training commands share: the processes started together, and their result.
#pragma once
#include "finetune/finetune.h"

namespace octet {

/// RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT as torchrun sets them; one process without them.
/// UsageError for values that are no numbers.
WorldOptions world_from_environment();

void print_training(const FinetuneResult& result, bool plan, bool json);

}  // namespace octet
