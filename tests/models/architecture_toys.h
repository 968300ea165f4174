// A toy of every row of the registry: the smallest config.json that shows all of its structure, and
// a batch that fits it, padded where the class has masks.
#pragma once
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "models/architectures/registry.h"
#include "models/run/model.h"

namespace octet::test {

inline nlohmann::json toy_decoder_json() {
  return {{"hidden_size", 24},          {"intermediate_size", 40}, {"num_hidden_layers", 2},
          {"num_attention_heads", 6},   {"head_dim", 6},           {"num_key_value_heads", 2},
          {"vocab_size", 50},           {"rms_norm_eps", 1e-5},    {"max_position_embeddings", 64},
          {"rope_theta", 10000.0},      {"hidden_act", "silu"},    {"attention_bias", true},
          {"mlp_bias", true},           {"sliding_window", 4},     {"use_sliding_window", false},
          {"tie_word_embeddings", true}};
}

inline nlohmann::json toy_translator_json() {
  return {{"d_model", 16},
          {"encoder_ffn_dim", 24},
          {"decoder_ffn_dim", 24},
          {"encoder_layers", 2},
          {"decoder_layers", 2},
          {"encoder_attention_heads", 4},
          {"decoder_attention_heads", 4},
          {"vocab_size", 50},
          {"max_position_embeddings", 32},
          {"activation_function", "relu"},
          {"scale_embedding", true},
          {"eos_token_id", 0},
          {"pad_token_id", 49},
          {"decoder_start_token_id", 49}};
}

inline nlohmann::json toy_vit_json() {
  return {{"hidden_size", 24}, {"intermediate_size", 40},  {"num_hidden_layers", 2},
          {"image_size", 12},  {"num_attention_heads", 4}, {"patch_size", 4},
          {"num_channels", 1}, {"num_labels", 5}};
}

inline ModelConfig toy_of(const Architecture& row) {
  nlohmann::json config;
  switch (row.model_class) {
    case ModelClass::kLlama:
      config = toy_decoder_json();
      break;
    case ModelClass::kMarian:
      config = toy_translator_json();
      break;
    case ModelClass::kVit:
      config = toy_vit_json();
      break;
  }
  config["architectures"] = {row.name};
  config["model_type"] = row.model_type;
  return parse_config(config, std::string(row.name));
}

/// Two rows; of the second the last tokens are padding: 3 of 9 (source), 2 of 6 (target).
inline Batch toy_batch(const ModelConfig& config) {
  Batch batch;
  if (task_kind(config) == TaskKind::kVision) {
    const ImageConfig& image = config.image.value();
    const int64_t pixels = image.channels * image.height * image.width;
    batch.pixels = at::sin(at::arange(2 * pixels, at::kDouble))
                       .view({2, image.channels, image.height, image.width});
    return batch;
  }
  batch.ids = (at::arange(2 * 9).view({2, 9}) * 7 + 3) % 37;
  batch.mask = at::ones({2, 9}, at::kBool);
  batch.mask[1].narrow(0, 6, 3).fill_(false);
  if (task_kind(config) == TaskKind::kTranslation) {
    batch.target_ids = (at::arange(2 * 6).view({2, 6}) * 5 + 1) % 37;
    batch.target_mask = at::ones({2, 6}, at::kBool);
    batch.target_mask[1].narrow(0, 4, 2).fill_(false);
  }
  return batch;
}

}  // namespace octet::test
