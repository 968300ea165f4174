#include "models/config.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/containers/gguf.h"
#include "core/error.h"
#include "core/json.h"

namespace octet {
namespace {

using nlohmann::json;

class Fields {
 public:
  Fields(const json& config, std::string what) : config_(config), what_(std::move(what)) {
    if (!config.is_object()) fail("no JSON object", "a configuration object");
  }

  bool has(const char* name) const { return config_.contains(name) && !config_[name].is_null(); }

  int64_t size(const char* name) const {
    const json& value = get(name);
    if (!value.is_number_integer() || value.get<int64_t>() <= 0 ||
        value.get<int64_t>() > kLargest) {
      fail(fmt::format("{} = {}", name, value.dump()),
           fmt::format("an integer in 1..{}", kLargest));
    }
    return value.get<int64_t>();
  }
  int64_t size(const char* name, int64_t otherwise) const {
    return has(name) ? size(name) : otherwise;
  }

  double positive(const char* name) const {
    const json& value = get(name);
    if (!value.is_number() || !(value.get<double>() > 0) || !std::isfinite(value.get<double>())) {
      fail(fmt::format("{} = {}", name, value.dump()), "a positive number");
    }
    return value.get<double>();
  }

  bool flag(const char* name, bool otherwise) const {
    if (!has(name)) return otherwise;
    if (!config_[name].is_boolean())
      fail(fmt::format("{} = {}", name, config_[name].dump()), "true or false");
    return config_[name].get<bool>();
  }

  std::string text(const char* name) const {
    const json& value = get(name);
    if (!value.is_string()) fail(fmt::format("{} = {}", name, value.dump()), "a string");
    return value.get<std::string>();
  }

  std::optional<int64_t> token(const char* name) const {
    if (!has(name)) return std::nullopt;
    const json& value =
        config_[name].is_array() && !config_[name].empty() ? config_[name][0] : config_[name];
    if (!value.is_number_integer() || value.get<int64_t>() < 0) {
      fail(fmt::format("{} = {}", name, value.dump()), "a token id");
    }
    return value.get<int64_t>();
  }

  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    throw Error(fmt::format("{} in {}", found, what_), expected,
                "correct the file or fetch it again");
  }

  const json& config() const { return config_; }

 private:
  static constexpr int64_t kLargest = int64_t{1} << 31;
  const json& get(const char* name) const {
    if (!has(name)) fail(fmt::format("no field \"{}\"", name), fmt::format("\"{}\"", name));
    return config_[name];
  }
  const json& config_;
  std::string what_;
};

// Both generations: rope_theta beside rope_scaling, or rope_parameters with theta inside.
double rope_theta(const Fields& fields) {
  if (!fields.has("rope_parameters")) {
    if (fields.has("rope_scaling")) fields.fail("rope_scaling", "plain rotary positions (null)");
    return fields.positive("rope_theta");
  }
  const Fields inner(fields.config()["rope_parameters"], "rope_parameters");
  if (inner.has("rope_type") && inner.text("rope_type") != "default") {
    inner.fail(fmt::format("rope_type \"{}\"", inner.text("rope_type")), "\"default\"");
  }
  return inner.positive("rope_theta");
}

std::string stored_dtype(const Fields& fields) {
  for (const char* name : {"dtype", "torch_dtype"}) {
    if (!fields.has(name)) continue;
    const std::string dtype = fields.text(name);
    if (dtype == "float16" || dtype == "bfloat16" || dtype == "float32") return dtype;
    fields.fail(fmt::format("{} \"{}\"", name, dtype), "float16, bfloat16 or float32");
  }
  return "float32";
}

std::string architecture(const Fields& fields) {
  if (!fields.has("architectures")) return "";
  const json& list = fields.config()["architectures"];
  if (!list.is_array() || list.size() != 1 || !list[0].is_string()) {
    fields.fail("architectures = " + list.dump(), "one name");
  }
  return list[0].get<std::string>();
}

}  // namespace

ModelConfig parse_config(const json& config, const std::string& what) {
  const Fields fields(config, what);
  ModelConfig c;
  c.model_type = fields.text("model_type");
  c.architecture = architecture(fields);
  if (c.architecture.empty() && c.model_type == "llama") c.architecture = "LlamaForCausalLM";
  if (c.architecture != "LlamaForCausalLM") {
    fields.fail(
        fmt::format("architecture \"{}\" (model_type \"{}\")", c.architecture, c.model_type),
        "LlamaForCausalLM");
  }
  c.dtype = stored_dtype(fields);
  c.hidden = fields.size("hidden_size");
  c.intermediate = fields.size("intermediate_size");
  c.layers = fields.size("num_hidden_layers");
  c.heads = fields.size("num_attention_heads");
  c.kv_heads = fields.size("num_key_value_heads", c.heads);
  c.head_dim = fields.size("head_dim", c.hidden / c.heads);
  c.vocab = fields.size("vocab_size");
  c.max_positions = fields.size("max_position_embeddings");
  c.norm_eps = fields.positive("rms_norm_eps");
  c.rope_theta = rope_theta(fields);
  c.tied = fields.flag("tie_word_embeddings", false);
  c.attention_bias = fields.flag("attention_bias", false);
  c.mlp_bias = fields.flag("mlp_bias", false);
  c.activation = fields.text("hidden_act");
  c.bos = fields.token("bos_token_id");
  c.eos = fields.token("eos_token_id");
  c.quantized = fields.has("quantization_config");
  if (c.heads % c.kv_heads != 0 || c.head_dim <= 0 || c.head_dim % 2 != 0) {
    fields.fail(
        fmt::format("{} heads, {} key-value heads, head_dim {}", c.heads, c.kv_heads, c.head_dim),
        "heads a multiple of key-value heads and an even head_dim");
  }
  if (c.layers > 4096) fields.fail(fmt::format("num_hidden_layers = {}", c.layers), "at most 4096");
  return c;
}

ModelConfig read_config(const std::filesystem::path& directory) {
  const std::string path = (directory / "config.json").string();
  return parse_config(read_json(path), path);
}

json config_json(const GgufFile& gguf, const std::string& dtype) {
  const std::string& arch = gguf.text("general.architecture");
  if (arch != "llama") {
    throw Error(fmt::format("GGUF architecture \"{}\" in {}", arch, gguf.path().string()), "llama",
                "convert a llama-family file");
  }
  const auto integer = [&](const char* name) { return gguf.integer(arch + "." + name); };
  const int64_t heads = integer("attention.head_count"), hidden = integer("embedding_length");
  const int64_t vocab = gguf.tensor("token_embd.weight").shape.front();
  if (heads <= 0 || hidden <= 0) {
    throw Error(fmt::format("{} heads over width {} in {}", heads, hidden, gguf.path().string()),
                "positive numbers", "fetch the file again");
  }
  json config = {
      {"architectures", {"LlamaForCausalLM"}},
      {"model_type", "llama"},
      {"dtype", dtype},
      {"hidden_size", hidden},
      {"intermediate_size", integer("feed_forward_length")},
      {"num_hidden_layers", integer("block_count")},
      {"num_attention_heads", heads},
      {"num_key_value_heads",
       gguf.has(arch + ".attention.head_count_kv") ? integer("attention.head_count_kv") : heads},
      {"head_dim",
       gguf.has(arch + ".rope.dimension_count") ? integer("rope.dimension_count") : hidden / heads},
      {"vocab_size", vocab},
      {"max_position_embeddings", integer("context_length")},
      {"rms_norm_eps", gguf.real(arch + ".attention.layer_norm_rms_epsilon")},
      {"rope_theta",
       gguf.has(arch + ".rope.freq_base") ? gguf.real(arch + ".rope.freq_base") : 10000.0},
      {"tie_word_embeddings", !gguf.tensors().contains("output.weight")},
      {"attention_bias", false},
      {"mlp_bias", false},
      {"hidden_act", "silu"},
      {"initializer_range", 0.02},
      {"use_cache", true},
  };
  for (const auto& [field, key] : {std::pair{"bos_token_id", "tokenizer.ggml.bos_token_id"},
                                   std::pair{"eos_token_id", "tokenizer.ggml.eos_token_id"},
                                   std::pair{"pad_token_id", "tokenizer.ggml.padding_token_id"}}) {
    if (gguf.has(key)) config[field] = gguf.integer(key);
  }
  return config;
}

}  // namespace octet
