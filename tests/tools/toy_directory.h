// A tiny Llama as a Hugging Face directory: random weights, and a tokenizer of the 256 bytes.
#pragma once
#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "models/architectures/llama.h"
#include "models/torch_dtype.h"
#include "models/weights/weight_sources.h"

namespace octet::test {

/// The byte alphabet of GPT-2: printable bytes stand for themselves, the others are moved behind
/// 255.
inline std::string byte_symbol(int byte) {
  const auto plain = [](int b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  };
  int code = byte;
  if (!plain(byte)) {
    code = 256;
    for (int b = 0; b < byte; ++b) code += plain(b) ? 0 : 1;
  }
  std::string utf8;
  if (code < 0x80) return {static_cast<char>(code)};
  utf8 += static_cast<char>(0xC0 | code >> 6);
  utf8 += static_cast<char>(0x80 | (code & 0x3F));
  return utf8;
}

inline nlohmann::json toy_config_json() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"dtype", "float16"},
          {"hidden_size", 32},
          {"intermediate_size", 48},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 8},
          {"vocab_size", 256},
          {"max_position_embeddings", 128},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"tie_word_embeddings", true},
          {"attention_bias", false},
          {"mlp_bias", false},
          {"hidden_act", "silu"}};
}

inline nlohmann::json toy_tokenizer_json() {
  nlohmann::json vocab = nlohmann::json::object();
  for (int byte = 0; byte < 256; ++byte) vocab[byte_symbol(byte)] = byte;
  const nlohmann::json level = {{"type", "ByteLevel"},
                                {"add_prefix_space", false},
                                {"trim_offsets", true},
                                {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", nlohmann::json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", level},
          {"post_processor", nullptr},
          {"decoder", level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"vocab", vocab},
            {"merges", nlohmann::json::array()}}}};
}

/// Writes the directory; `spoil` may change the tensors first.
inline void write_toy(const std::filesystem::path& folder,
                      const std::function<void(std::map<std::string, at::Tensor>&)>& spoil = {}) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << toy_config_json().dump();
  std::ofstream(folder / "tokenizer.json") << toy_tokenizer_json().dump();
  auto tensors = random_tensors(Llama(parse_config(toy_config_json(), "toy")).topology(), 3, 0.2);
  for (auto& [name, tensor] : tensors) tensor = tensor.to(at::kHalf);
  if (spoil) spoil(tensors);
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    infos.push_back({name, container_dtype(tensor.scalar_type()), tensor.sizes().vec()});
  }
  SafetensorsWriter writer(folder / "model.safetensors", infos);
  for (const auto& [name, tensor] : tensors) {
    writer.write(name, {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
  }
  writer.commit();
}

}  // namespace octet::test
