// config.json from the metadata of a GGUF file. Keys: ggml-org/ggml docs/gguf.md.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "core/containers/gguf.h"
#include "core/error.h"
#include "models/architectures/registry.h"
#include "models/config.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr const char* kRopeFactors = "rope_freqs.weight";

[[noreturn]] void bad(const GgufFile& gguf, const std::string& found, const std::string& expected) {
  throw Error(fmt::format("{} in {}", found, gguf.path().string()), expected,
              "convert the Hugging Face checkpoint instead");
}

const Architecture& row_of(const GgufFile& gguf) {
  const std::string& arch = gguf.text("general.architecture");
  const Architecture* row = find_gguf_architecture(arch);
  if (row == nullptr) {
    std::string known;
    for (const Architecture& each : architectures()) {
      if (!each.gguf.empty()) known += fmt::format("{}{}", known.empty() ? "" : ", ", each.gguf);
    }
    bad(gguf, fmt::format("GGUF architecture \"{}\"", arch), known);
  }
  return *row;
}

// By how much llama.cpp divides the frequency of each pair (LlamaModel.generate_extra_tensors).
double llama3_divisor(const RopeScaling& scaling, double theta, int64_t dim, int64_t pair) {
  const double exponent = 2.0 * static_cast<double>(pair) / static_cast<double>(dim);
  const double wavelength = 2 * std::numbers::pi * std::pow(theta, exponent);
  const double turns = static_cast<double>(scaling.original_positions) / wavelength;
  if (turns > scaling.high_freq_factor) return 1;
  if (turns < scaling.low_freq_factor) return scaling.factor;
  const double smooth =
      (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return 1 / ((1 - smooth) / scaling.factor + smooth);
}

// The parameters are not in the file, only the factors that follow from them. All released models
// differ in `factor` alone, which is the largest of the factors; the others are verified.
json llama3_scaling(const GgufFile& gguf, double theta, int64_t dim) {
  const GgufFile::Tensor& tensor = gguf.tensor(kRopeFactors);
  if (tensor.shape != std::vector<int64_t>{dim / 2}) {
    bad(gguf, fmt::format("{} of another length", kRopeFactors), fmt::format("{}", dim / 2));
  }
  std::vector<float> factors(static_cast<size_t>(dim / 2));
  gguf.dequantize(tensor, factors);
  const RopeScaling scaling{*std::ranges::max_element(factors), 1, 4, 8192};
  for (int64_t i = 0; i < dim / 2; ++i) {
    const double expected = llama3_divisor(scaling, theta, dim, i);
    if (!(std::abs(factors[static_cast<size_t>(i)] - expected) <= 1e-4 * expected)) {
      bad(gguf,
          fmt::format("factor {} at {} of {}", factors[static_cast<size_t>(i)], i, kRopeFactors),
          fmt::format("{:.6g}, as in Llama 3.1 to 3.3", expected));
    }
  }
  return {{"rope_type", "llama3"},
          {"factor", scaling.factor},
          {"low_freq_factor", scaling.low_freq_factor},
          {"high_freq_factor", scaling.high_freq_factor},
          {"original_max_position_embeddings", scaling.original_positions}};
}

void add_rope(const GgufFile& gguf, const std::string& arch, json& config) {
  const std::string type = arch + ".rope.scaling.type";
  if (gguf.has(type) && gguf.text(type) != "none") {
    bad(gguf, fmt::format("{} = \"{}\"", type, gguf.text(type)), "\"none\"");
  }
  const auto dim = config["head_dim"].get<int64_t>();
  const std::string count = arch + ".rope.dimension_count";
  if (gguf.has(count) && gguf.integer(count) != dim) {
    bad(gguf, fmt::format("{} rotary dimensions of {} a head", gguf.integer(count), dim),
        "rotary positions over whole heads");
  }
  const double theta = gguf.real(arch + ".rope.freq_base");
  config["rope_theta"] = theta;
  if (gguf.tensors().contains(kRopeFactors)) {
    config["rope_scaling"] = llama3_scaling(gguf, theta, dim);
  }
}

void add_heads(const GgufFile& gguf, const std::string& arch, json& config) {
  const int64_t heads = gguf.integer(arch + ".attention.head_count");
  const int64_t hidden = gguf.integer(arch + ".embedding_length");
  if (heads <= 0 || hidden <= 0) {
    bad(gguf, fmt::format("{} heads over width {}", heads, hidden), "positive numbers");
  }
  config["hidden_size"] = hidden;
  config["num_attention_heads"] = heads;
  const auto otherwise = [&](const char* name, int64_t fallback) {
    const std::string key = arch + name;
    return gguf.has(key) ? gguf.integer(key) : fallback;
  };
  config["num_key_value_heads"] = otherwise(".attention.head_count_kv", heads);
  config["head_dim"] =
      otherwise(".attention.key_length", otherwise(".rope.dimension_count", hidden / heads));
}

void add_tokens(const GgufFile& gguf, json& config) {
  for (const auto& [field, key] : {std::pair{"bos_token_id", "tokenizer.ggml.bos_token_id"},
                                   std::pair{"eos_token_id", "tokenizer.ggml.eos_token_id"},
                                   std::pair{"pad_token_id", "tokenizer.ggml.padding_token_id"}}) {
    if (gguf.has(key)) config[field] = gguf.integer(key);
  }
}

}  // namespace

json config_json(const GgufFile& gguf, const std::string& dtype) {
  const Architecture& row = row_of(gguf);
  const std::string arch(row.gguf);
  json config = {
      {"architectures", {row.name}},
      {"model_type", row.model_type},
      {"dtype", dtype},
      {"intermediate_size", gguf.integer(arch + ".feed_forward_length")},
      {"num_hidden_layers", gguf.integer(arch + ".block_count")},
      {"vocab_size", gguf.tensor("token_embd.weight").shape.front()},
      {"max_position_embeddings", gguf.integer(arch + ".context_length")},
      {"rms_norm_eps", gguf.real(arch + ".attention.layer_norm_rms_epsilon")},
      {"tie_word_embeddings", !gguf.tensors().contains("output.weight")},
      {"hidden_act", "silu"},
      {"initializer_range", 0.02},
      {"use_cache", true},
  };
  if (row.decoder.attention_bias == AttentionBias::kByConfig) {
    config["attention_bias"] = gguf.tensors().contains("blk.0.attn_q.bias");
  }
  if (row.decoder.mlp_bias) config["mlp_bias"] = gguf.tensors().contains("blk.0.ffn_gate.bias");
  add_heads(gguf, arch, config);
  add_rope(gguf, arch, config);
  add_tokens(gguf, config);
  return config;
}

}  // namespace octet
