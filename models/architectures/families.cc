#include "models/architectures/families.h"

#include <algorithm>
#include <array>

namespace octet {
namespace {

// Sources: modeling_*.py and configuration_*.py of transformers 5.23; convert_hf_to_gguf.py of
// llama.cpp (permute of LlamaModel). A GGUF of Mistral calls itself llama.
constexpr std::array kFamilies = {
    Family{.architecture = "LlamaForCausalLM",
           .model_type = "llama",
           .gguf = "llama",
           .attention_bias = AttentionBias::kByConfig,
           .window = AttentionWindow::kAll,
           .mlp_bias = true,
           .head_norms = false,
           .derived_kv_heads = true,
           .derived_head_dim = true,
           .gguf_interleaved = true},
    Family{.architecture = "MistralForCausalLM",
           .model_type = "mistral",
           .gguf = "",
           .attention_bias = AttentionBias::kNone,
           .window = AttentionWindow::kField,
           .mlp_bias = false,
           .head_norms = false,
           .derived_kv_heads = false,
           .derived_head_dim = true,
           .gguf_interleaved = false},
    Family{.architecture = "Qwen2ForCausalLM",
           .model_type = "qwen2",
           .gguf = "qwen2",
           .attention_bias = AttentionBias::kQkv,
           .window = AttentionWindow::kFlag,
           .mlp_bias = false,
           .head_norms = false,
           .derived_kv_heads = false,
           .derived_head_dim = true,
           .gguf_interleaved = false},
    Family{.architecture = "Qwen3ForCausalLM",
           .model_type = "qwen3",
           .gguf = "qwen3",
           .attention_bias = AttentionBias::kByConfig,
           .window = AttentionWindow::kFlag,
           .mlp_bias = false,
           .head_norms = true,
           .derived_kv_heads = false,
           .derived_head_dim = false,
           .gguf_interleaved = false},
};

const Family* find(std::string_view name, std::string_view Family::*field) {
  const auto found = std::ranges::find(kFamilies, name, field);
  return found == kFamilies.end() || name.empty() ? nullptr : &*found;
}

}  // namespace

std::span<const Family> families() {
  return kFamilies;
}

const Family* find_family(std::string_view architecture) {
  return find(architecture, &Family::architecture);
}

const Family* find_gguf_family(std::string_view gguf) {
  return find(gguf, &Family::gguf);
}

std::string family_names() {
  std::string names;
  for (const Family& family : kFamilies) {
    names += names.empty() ? "" : &family == &kFamilies.back() ? " or " : ", ";
    names += family.architecture;
  }
  return names;
}

}  // namespace octet
