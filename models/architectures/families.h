// Decoders of the Llama family and what sets them apart. One row here is all that a further member
// needs; models/architectures/llama.cc runs every one of them.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace octet {

/// Which projections of attention have a bias.
enum class AttentionBias {
  kNone,
  kQkv,      ///< q, k and v always, o never
  kByConfig  ///< all four where "attention_bias" says so
};

/// How far attention looks back.
enum class AttentionWindow {
  kAll,    ///< the whole past
  kField,  ///< "sliding_window" positions, the whole past where that is null
  kFlag    ///< the whole past; a config whose "use_sliding_window" is true is refused
};

/// One row of the table of differences. Names are those of transformers and of llama.cpp.
struct Family {
  std::string_view architecture;  ///< in "architectures"
  std::string_view model_type;
  std::string_view gguf;  ///< "general.architecture"; empty: GGUF has no name of its own for it
  AttentionBias attention_bias;
  AttentionWindow window;
  bool mlp_bias;          ///< "mlp_bias" is a field of its config
  bool head_norms;        ///< RMSNorm over each query and key head, before the rotation
  bool derived_kv_heads;  ///< without "num_key_value_heads": as many as heads
  bool derived_head_dim;  ///< without "head_dim": hidden / heads
  bool gguf_interleaved;  ///< GGUF stores the rotary pairs of query and key rows side by side
};

std::span<const Family> families();

/// Row of that architecture, of that GGUF architecture; null when there is none.
const Family* find_family(std::string_view architecture);
const Family* find_gguf_family(std::string_view gguf);

/// "LlamaForCausalLM, ..., Qwen3ForCausalLM", for messages.
std::string family_names();

}  // namespace octet
