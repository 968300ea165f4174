// config.json of a Hugging Face model, checked; and the same from GGUF metadata.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace octet {

class GgufFile;

/// Llama 3's stretch of rotary positions ("rope_type": "llama3"): frequencies whose wavelength is
/// beyond original_positions / low_freq_factor are divided by factor, those below
/// original_positions / high_freq_factor are kept, and those between are blended.
struct RopeScaling {
  double factor, low_freq_factor, high_freq_factor;
  int64_t original_positions;
  bool operator==(const RopeScaling&) const = default;
};

/// What a vision model looks at and what it tells apart.
struct ImageConfig {
  int64_t channels = 0, height = 0, width = 0, patch_height = 0, patch_width = 0;
  std::vector<std::string> labels;  ///< names of the classes
  /// Whole patches in an image; pixels beyond them are not seen.
  int64_t patches() const { return (height / patch_height) * (width / patch_width); }
};

struct ModelConfig {
  std::string
      architecture;  ///< "LlamaForCausalLM": the name of a row of models/architectures/registry.h
  std::string model_type;  ///< "llama"
  std::string dtype;       ///< "float16", "bfloat16" or "float32", as stored
  int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0,
          vocab = 0;  ///< tokens, or classes of a classifier
  int64_t max_positions = 0;
  int64_t sliding_window = 0;  ///< positions that attention looks back at; 0: all
  double norm_eps = 0, rope_theta = 0;
  std::optional<RopeScaling> rope_scaling;
  bool tied = false;
  bool attention_bias = false;  ///< of q, k and v
  bool output_bias = false;     ///< of o
  bool mlp_bias = false;        ///< of gate, up and down
  bool head_norms = false;      ///< q_norm and k_norm over each head, before the rotation
  std::string activation;
  // Encoder-decoders: `layers` counts both sides.
  int64_t encoder_layers = 0;
  bool scale_embedding = false;  ///< embeddings times sqrt(hidden)
  double dropout = 0;            ///< of training, on embeddings and on each branch before its sum
  double attention_dropout = 0;  ///< of training, on the weights of attention
  std::optional<int64_t> pad, decoder_start;
  std::optional<int64_t> bos, eos;
  std::optional<ImageConfig> image;  ///< of vision models
  bool quantized = false;            ///< has a quantization_config
};

/// Whether the config names an architecture that octet executes. Others can still be quantized by
/// the names of their tensors (models/modules_by_name.h).
bool executable(const nlohmann::json& config);

/// Reads what octet runs, from either generation of config.json: rope_theta, rope_scaling and
/// torch_dtype, or rope_parameters (theta inside) and dtype. A missing or out-of-range field is an
/// Error naming it; rope_theta has no default. Rotary types other than "default" and "llama3" are
/// refused by name.
ModelConfig parse_config(const nlohmann::json& config, const std::string& what);

/// config.json equal to what transformers writes, from GGUF metadata. Llama 3's scaling is told
/// from the factors in rope_freqs.weight; Error when they are not those of "llama3".
nlohmann::json config_json(const GgufFile& gguf, const std::string& dtype);

}  // namespace octet
