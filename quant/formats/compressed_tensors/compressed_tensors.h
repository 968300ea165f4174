// A compressed-tensors directory: how the modules of a plan are stored, and what stands beside the
// weights. Loads unchanged in transformers (compressed-tensors >= 0.15).
#pragma once
#include <filesystem>
#include <vector>

#include "models/topology.h"
#include "models/weights/tensor_source.h"
#include "quant/schemes/plan.h"
#include "quant/stream/stream_item.h"

namespace octet {

class SourceModel;

/// What becomes of every tensor of `source`, in its order: the plan's modules as compressed-tensors
/// stores them, with scales of `scale_type`; everything else is copied. A stored copy of a tied
/// head is left out. Error naming the tensor when a module's weight has another shape than planned.
std::vector<StreamItem> stream_items(const TensorSource& source,
                                     const std::vector<ModulePlan>& plan, Dtype scale_type);

/// Error naming the first tensor of the topology that `source` lacks.
void require_tensors(const TensorSource& source, const Topology& topology);

/// Copies what stands beside the weights (tokenizer, chat template, generation config) or, for a
/// GGUF source, writes tokenizer.json and tokenizer_config.json from its metadata.
void copy_companions(const SourceModel& model, const std::filesystem::path& directory);

}  // namespace octet
