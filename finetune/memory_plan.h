// How much memory a training run needs, computed from the topology alone.
#pragma once
#include <set>

#include "finetune/finetune.h"
#include "models/topology.h"

namespace octet {

struct MemoryQuestion {
  int64_t trained = 0, all = 0;  ///< values of the leaves that move, and of the model
  int64_t coded = 0;             ///< of them in fake-quantized sites
  bool teacher = false, bfloat16 = false;
  int64_t tokens = 0;  ///< in a batch
};

/// Weights, gradients, moments and best values exactly; activations as the inputs and outputs of
/// sites and norms that the backward reads, without attention weights.
MemoryPlan plan_memory(const Topology& topology, const MemoryQuestion& question);

}  // namespace octet
