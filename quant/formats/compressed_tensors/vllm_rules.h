// Which layers of a plan vLLM would reject or run more slowly, according to its source code; vLLM
// is not run.
#pragma once
#include <string>
#include <vector>

#include "models/topology.h"
#include "quant/schemes/plan.h"

namespace octet {

/// The version whose source the rules were read from.
inline constexpr const char* kVllmVersion = "0.26.0";

struct VllmFinding {
  std::string layer;  ///< as vLLM calls it: q/k/v are one "...qkv_proj"
  bool refused;       ///< false: it runs, but slower or not on every GPU
  std::string reason;
};

/// Goes through the rules for one NVIDIA GPU (no tensor parallelism, optional kernel packages not
/// installed). dtype: of the checkpoint; vLLM computes float32 ones in float16.
std::vector<VllmFinding> check_vllm(const Topology& topology, const std::vector<ModulePlan>& plan,
                                    const std::string& dtype);

}  // namespace octet
