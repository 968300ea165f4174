// config.json of a Hugging Face model, checked; and the same from GGUF metadata.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace octet {

class GgufFile;

struct ModelConfig {
  std::string architecture;  ///< "LlamaForCausalLM"
  std::string model_type;    ///< "llama"
  std::string dtype;         ///< "float16", "bfloat16" or "float32", as stored
  int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0,
          vocab = 0;
  int64_t max_positions = 0;
  double norm_eps = 0, rope_theta = 0;
  bool tied = false, attention_bias = false, mlp_bias = false;
  std::string activation;
  std::optional<int64_t> bos, eos;
  bool quantized = false;  ///< has a quantization_config
};

/// Reads what octet runs; a missing or out-of-range field is an Error naming it. rope_theta has no
/// default.
ModelConfig parse_config(const nlohmann::json& config, const std::string& what);
ModelConfig read_config(const std::filesystem::path& directory);

/// config.json equal to what transformers writes, from GGUF metadata.
nlohmann::json config_json(const GgufFile& gguf, const std::string& dtype);

}  // namespace octet
