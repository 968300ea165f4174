// What the training commands share: the processes started together, and their result.
#pragma once
#include <functional>

#include "finetune/finetune.h"

namespace octet {

/// Value of an environment variable, or null.
using Environment = std::function<const char*(const char* name)>;

/// Who this process is among those started together: by torchrun (or by hand: RANK, WORLD_SIZE,
/// LOCAL_RANK, MASTER_ADDR, MASTER_PORT), a Kubernetes Job with completion indexes and WORLD_SIZE,
/// srun or mpirun of Open MPI. One process without them. UsageError for values that are no numbers.
ProcessGroupOptions process_group_from(const Environment& environment);

/// process_group_from the process's own environment. With several processes and --device cuda, each
/// process gets the GPU with its local rank.
ProcessGroupOptions join_environment(Context& context);

void print_training(const FinetuneResult& result, bool plan, bool json);

}  // namespace octet
