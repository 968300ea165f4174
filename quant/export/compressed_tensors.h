// Writes a compressed-tensors directory: config.json with quantization_config, model.safetensors,
// and the tokenizer files of the source. Loads unchanged in transformers (compressed-tensors >=
// 0.15).
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/containers/safetensors.h"
#include "models/topology.h"
#include "models/weight_source.h"
#include "quant/plan.h"

namespace octet {

/// Writes DIR/model.safetensors, one matrix in memory at a time. `done` is called once a matrix.
void write_compressed_tensors(const std::filesystem::path& directory, const Topology& topology,
                              const std::vector<ModulePlan>& plan, WeightSource& source,
                              const std::function<void()>& done);

/// Copies what stands beside the weights (tokenizer, chat template, generation config) or, for a
/// GGUF source, writes tokenizer.json and tokenizer_config.json from its metadata.
void copy_companions(const std::filesystem::path& model, const std::filesystem::path& directory);

}  // namespace octet
