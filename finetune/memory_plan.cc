#include "finetune/memory_plan.h"

#include <algorithm>
#include <map>

namespace octet {

MemoryPlan plan_memory(const Topology& topology, const MemoryQuestion& question) {
  std::map<int, uint64_t> of_block;
  uint64_t between = 0;
  std::map<int, uint64_t> values;  // of a block's matrices
  for (const Site& site : topology.sites) {
    if (site.block == kOutside) continue;
    of_block[site.block] += 4 * static_cast<uint64_t>(site.k() + site.n());
    values[site.block] += static_cast<uint64_t>(site.k() * site.n());
  }
  for (const Norm& norm : topology.norms) {
    if (norm.block == kOutside) continue;
    of_block[norm.block] += 4 * 2 * static_cast<uint64_t>(norm.dim);
    between = std::max(between, 4 * 2 * static_cast<uint64_t>(norm.dim));
  }
  uint64_t all_blocks = 0, largest = 0;
  for (const auto& [block, bytes] : of_block) {
    all_blocks += bytes;
    largest = std::max(largest, bytes);
  }
  const auto tokens = static_cast<uint64_t>(question.tokens);
  const auto trained = static_cast<uint64_t>(question.trained);
  const auto all = static_cast<uint64_t>(question.all);
  const auto coded = static_cast<uint64_t>(question.coded);
  MemoryPlan plan;
  plan.parts = {{"weights (float32)", 4 * all},
                {"fake-quantized values", coded * (question.bfloat16 ? 3 : 5)},
                {"gradients", 4 * trained},
                {"moments of AdamW", 8 * trained},
                {"best values so far (host)", 4 * trained},
                {"teacher", question.teacher ? 4 * all : 0},
                {"logits at a time", uint64_t{4} * (uint64_t{128} << 20)}};
  uint64_t fixed = 0;
  for (const auto& [what, bytes] : plan.parts) fixed += bytes;
  plan.whole = fixed + tokens * all_blocks;
  plan.checkpointed = fixed + tokens * (largest + between * of_block.size());
  if (question.teacher) {
    // A block of the student (master, values, gradient, moments, best) and of the teacher; at the
    // end the student whole, to be written.
    uint64_t most = 0;
    for (const auto& [block, count] : values) most = std::max(most, count);
    const uint64_t each = 4 + (question.bfloat16 ? 3 : 5) + 4 + 8 + 4 + 4;
    plan.blockwise = std::max(4 * all, each * most + tokens * (largest + 4 * between));
  }
  plan.parts.emplace_back("activations", tokens * all_blocks);
  plan.parts.emplace_back("activations with --checkpointing",
                          tokens * (largest + between * of_block.size()));
  return plan;
}

}  // namespace octet
