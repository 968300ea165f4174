// Writes a compressed-tensors directory: config.json with quantization_config, model.safetensors,
// and the tokenizer files of the source. Loads unchanged in transformers (compressed-tensors >=
// 0.15).
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/containers/safetensors.h"
#include "models/topology.h"
#include "models/weight_source.h"
#include "quant/scheme.h"

namespace octet {

/// What becomes of one linear layer.
struct ModulePlan {
  std::string module;  ///< "model.layers.0.self_attn.q_proj"
  bool quantized;
  std::string reason;      ///< why it is kept, or why it is not like the others
  bool per_token = false;  ///< in w8a8-static: its input is quantized per token all the same
};

/// How the input of one site is quantized in w8a8-static.
struct StaticInput {
  double range = 0;        ///< of the tensor, in its units
  bool per_token = false;  ///< no one scale serves: quantize per token
  std::string reason;      ///< of per_token
};
using StaticInputs = std::map<std::string, StaticInput>;  ///< by site name

/// Every matrix of the topology: the blocks' projections are quantized, the head is kept.
std::vector<ModulePlan> plan_modules(const Topology& topology, const StaticInputs& inputs = {});

/// config.json's text with the quantization_config added. dtype: of kept tensors ("float16", ...).
std::string quantized_config(const std::string& config_text, const Scheme& scheme,
                             const std::vector<ModulePlan>& plan);

/// Writes DIR/model.safetensors, one matrix in memory at a time. inputs: of each site name
/// (w8a8-static only; Error names a site without one). `done` is called once a matrix.
void write_compressed_tensors(const std::filesystem::path& directory, const Topology& topology,
                              const Scheme& scheme, WeightSource& source,
                              const StaticInputs& inputs, const std::function<void()>& done);

/// Copies what stands beside the weights (tokenizer, chat template, generation config) or, for a
/// GGUF source, writes tokenizer.json and tokenizer_config.json from its metadata.
void copy_companions(const std::filesystem::path& model, const std::filesystem::path& directory);

}  // namespace octet
