// The architectures that octet executes, one row each: its names, the parser of its config.json,
// the class that runs it, and what loaders and schemes need to know about it. Free of torch.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "models/config.h"

namespace octet {

class ConfigFields;

/// What a model is for.
enum class TaskKind {
  kLanguage,     ///< next token
  kTranslation,  ///< sentence to sentence
  kVision        ///< image to class
};

/// The class that runs an architecture (make_model.cc).
enum class ModelClass { kLlama, kMarian, kVit };

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

/// The differences between the members of the Llama family; no other class uses them.
struct DecoderTraits {
  AttentionBias attention_bias = AttentionBias::kNone;
  AttentionWindow window = AttentionWindow::kAll;
  bool mlp_bias = false;          ///< "mlp_bias" is a field of its config
  bool head_norms = false;        ///< RMSNorm over each query and key head, before the rotation
  bool derived_kv_heads = false;  ///< without "num_key_value_heads": as many as heads
  bool derived_head_dim = false;  ///< without "head_dim": hidden / heads
  bool gguf_interleaved = false;  ///< GGUF stores rotary pairs of query and key rows side by side
};

/// Part of a module's name: in checkpoints, and where a loader holds the module.
struct Renamed {
  std::string_view stored, held;
};

/// Modules that a loader holds under other names than the checkpoint's: those that begin with
/// prefix.stored and end with one of ends[i].stored, of which the first that fits counts.
struct LoaderNames {
  Renamed prefix = {};
  std::span<const Renamed> ends = {};
};

/// One row. Names are those of transformers and of llama.cpp.
struct Architecture {
  std::string_view name;  ///< in "architectures"
  std::string_view model_type;
  std::string_view gguf =
      "";  ///< "general.architecture"; empty: GGUF has no name of its own for it
  TaskKind task = TaskKind::kLanguage;
  ModelClass model_class = ModelClass::kLlama;
  /// Reads a config.json of this row; Error naming a field that is missing or out of range.
  ModelConfig (*parse)(const ConfigFields& fields, const Architecture& row) = nullptr;
  /// Last components of the names of the linear layers in blocks that are quantized by default.
  std::span<const std::string_view> projections = {};
  LoaderNames transformers5 = {};
  bool vllm_rules = true;  ///< check plans against vLLM's rules; false: vLLM runs no such model
  DecoderTraits decoder = {};
};

std::span<const Architecture> architectures();

/// Row of that name in "architectures", of that GGUF architecture; null when there is none.
const Architecture* find_architecture(std::string_view name);
const Architecture* find_gguf_architecture(std::string_view gguf);

/// Row of config.architecture; Error naming the known ones when there is none.
const Architecture& architecture_row(const ModelConfig& config);

/// Task of config.architecture; kLanguage when no row has that name.
TaskKind task_kind(const ModelConfig& config);

/// "LlamaForCausalLM, ... or ViTForImageClassification", for messages.
std::string architecture_names();

/// The name under which transformers 5 holds a module of a checkpoint, by the rows' own names of
/// modules; the same where it is not renamed.
/// E.g. vit.encoder.layer.0.output.dense -> vit.layers.0.mlp.fc2
std::string module_in_transformers5(const std::string& module);

}  // namespace octet
