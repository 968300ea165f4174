#include "models/architectures/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "models/architectures/configs.h"

namespace octet {
namespace {

constexpr std::array<std::string_view, 7> kDecoderProjections = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
constexpr std::array<std::string_view, 6> kMarianProjections = {"q_proj",   "k_proj", "v_proj",
                                                                "out_proj", "fc1",    "fc2"};
constexpr std::array<std::string_view, 4> kVitProjections = {"query", "key", "value", "dense"};
constexpr std::array<Renamed, 6> kVitEnds = {{{"attention.attention.query", "attention.q_proj"},
                                              {"attention.attention.key", "attention.k_proj"},
                                              {"attention.attention.value", "attention.v_proj"},
                                              {"attention.output.dense", "attention.o_proj"},
                                              {"intermediate.dense", "mlp.fc1"},
                                              {"output.dense", "mlp.fc2"}}};

// Sources: modeling_*.py and configuration_*.py of transformers 5.23; convert_hf_to_gguf.py of
// llama.cpp (permute of LlamaModel). A GGUF of Mistral calls itself llama.
constexpr std::array kArchitectures = {
    Architecture{.name = "LlamaForCausalLM",
                 .model_type = "llama",
                 .gguf = "llama",
                 .parse = parse_llama,
                 .projections = kDecoderProjections,
                 .decoder = {.attention_bias = AttentionBias::kByConfig,
                             .mlp_bias = true,
                             .derived_kv_heads = true,
                             .derived_head_dim = true,
                             .gguf_interleaved = true}},
    Architecture{.name = "MistralForCausalLM",
                 .model_type = "mistral",
                 .parse = parse_llama,
                 .projections = kDecoderProjections,
                 .decoder = {.window = AttentionWindow::kField, .derived_head_dim = true}},
    Architecture{.name = "Qwen2ForCausalLM",
                 .model_type = "qwen2",
                 .gguf = "qwen2",
                 .parse = parse_llama,
                 .projections = kDecoderProjections,
                 .decoder = {.attention_bias = AttentionBias::kQkv,
                             .window = AttentionWindow::kFlag,
                             .derived_head_dim = true}},
    Architecture{.name = "Qwen3ForCausalLM",
                 .model_type = "qwen3",
                 .gguf = "qwen3",
                 .parse = parse_llama,
                 .projections = kDecoderProjections,
                 .decoder = {.attention_bias = AttentionBias::kByConfig,
                             .window = AttentionWindow::kFlag,
                             .head_norms = true}},
    Architecture{.name = "MarianMTModel",
                 .model_type = "marian",
                 .task = TaskKind::kTranslation,
                 .model_class = ModelClass::kMarian,
                 .parse = parse_marian,
                 .projections = kMarianProjections,
                 .vllm_rules = false},
    Architecture{.name = "ViTForImageClassification",
                 .model_type = "vit",
                 .task = TaskKind::kVision,
                 .model_class = ModelClass::kVit,
                 .parse = parse_vit,
                 .projections = kVitProjections,
                 .transformers5 = {{"vit.encoder.layer.", "vit.layers."}, kVitEnds}},
};

const Architecture* find(std::string_view name, std::string_view Architecture::*field) {
  const auto found = std::ranges::find(kArchitectures, name, field);
  return found == kArchitectures.end() || name.empty() ? nullptr : &*found;
}

}  // namespace

std::span<const Architecture> architectures() {
  return kArchitectures;
}

const Architecture* find_architecture(std::string_view name) {
  return find(name, &Architecture::name);
}

const Architecture* find_gguf_architecture(std::string_view gguf) {
  return find(gguf, &Architecture::gguf);
}

const Architecture& architecture_row(const ModelConfig& config) {
  if (const Architecture* row = find_architecture(config.architecture)) return *row;
  throw Error(fmt::format("architecture {}", config.architecture), architecture_names(),
              "quantize this model by the names of its tensors");
}

TaskKind task_kind(const ModelConfig& config) {
  const Architecture* row = find_architecture(config.architecture);
  return row == nullptr ? TaskKind::kLanguage : row->task;
}

std::string architecture_names() {
  std::string names;
  for (const Architecture& row : kArchitectures) {
    names += names.empty() ? "" : &row == &kArchitectures.back() ? " or " : ", ";
    names += row.name;
  }
  return names;
}

std::string module_in_transformers5(const std::string& module) {
  for (const Architecture& row : kArchitectures) {
    const auto& [prefix, ends] = row.transformers5;
    if (prefix.stored.empty() || !module.starts_with(prefix.stored)) continue;
    std::string name = std::string(prefix.held) + module.substr(prefix.stored.size());
    for (const auto& [stored, held] : ends) {
      if (!name.ends_with(stored)) continue;
      return name.replace(name.size() - stored.size(), stored.size(), held);
    }
  }
  return module;
}

}  // namespace octet
