// config.json of the Llama family.
#include <fmt/format.h>

#include "models/architectures/configs.h"

namespace octet {
namespace {

using Fields = ConfigFields;

// The object with the rotary parameters: rope_parameters, or rope_scaling of the older generation;
// null when there is neither.
const char* rope_object(const Fields& fields) {
  for (const char* name : {"rope_parameters", "rope_scaling"}) {
    if (fields.has(name)) return name;
  }
  return nullptr;
}

RopeScaling llama3_scaling(const Fields& rope) {
  const RopeScaling scaling{rope.positive("factor"), rope.positive("low_freq_factor"),
                            rope.positive("high_freq_factor"),
                            rope.size("original_max_position_embeddings")};
  if (scaling.factor < 1 || scaling.high_freq_factor <= scaling.low_freq_factor) {
    rope.fail(fmt::format("factor {}, low_freq_factor {}, high_freq_factor {}", scaling.factor,
                          scaling.low_freq_factor, scaling.high_freq_factor),
              "a factor of at least 1 and a high_freq_factor above low_freq_factor");
  }
  return scaling;
}

// Theta stands inside rope_parameters, beside rope_scaling, or alone.
void read_rope(const Fields& fields, ModelConfig& c) {
  const char* name = rope_object(fields);
  if (name == nullptr) {
    c.rope_theta = fields.positive("rope_theta");
    return;
  }
  const Fields rope(fields.config()[name], fmt::format("{} of {}", name, fields.what()));
  c.rope_theta = (rope.has("rope_theta") ? rope : fields).positive("rope_theta");
  const char* key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string type = rope.has(key) ? rope.text(key) : "default";
  if (type == "llama3") {
    c.rope_scaling = llama3_scaling(rope);
  } else if (type != "default") {
    rope.fail(fmt::format("{} \"{}\"", key, type), "\"default\" or \"llama3\"");
  }
  if (rope.has("partial_rotary_factor") && rope.positive("partial_rotary_factor") != 1) {
    rope.fail("a partial_rotary_factor", "rotary positions over whole heads");
  }
}

void read_window(const Fields& fields, const DecoderTraits& traits, ModelConfig& c) {
  if (traits.window == AttentionWindow::kField && fields.has("sliding_window")) {
    c.sliding_window = fields.size("sliding_window");
  }
  if (traits.window == AttentionWindow::kFlag && fields.flag("use_sliding_window", false)) {
    fields.fail("use_sliding_window = true", "false, as in the released models");
  }
}

void read_sizes(const Fields& fields, const DecoderTraits& traits, ModelConfig& c) {
  c.hidden = fields.size("hidden_size");
  c.intermediate = fields.size("intermediate_size");
  c.layers = fields.size("num_hidden_layers");
  c.heads = fields.size("num_attention_heads");
  c.kv_heads = traits.derived_kv_heads ? fields.size("num_key_value_heads", c.heads)
                                       : fields.size("num_key_value_heads");
  c.head_dim = traits.derived_head_dim ? fields.size("head_dim", c.hidden / c.heads)
                                       : fields.size("head_dim");
  c.vocab = fields.size("vocab_size");
  c.max_positions = fields.size("max_position_embeddings");
  if (c.heads % c.kv_heads != 0 || c.head_dim <= 0 || c.head_dim % 2 != 0) {
    fields.fail(
        fmt::format("{} heads, {} key-value heads, head_dim {}", c.heads, c.kv_heads, c.head_dim),
        "heads a multiple of key-value heads and an even head_dim");
  }
  check_widths(fields, c);
}

void check_model_type(const Fields& fields, const Architecture& row) {
  const std::string type = fields.text("model_type");
  if (type == row.model_type) return;
  fields.fail(fmt::format("architecture \"{}\" (model_type \"{}\")", row.name, type),
              fmt::format("model_type \"{}\"", row.model_type));
}

}  // namespace

ModelConfig parse_llama(const ConfigFields& fields, const Architecture& row) {
  check_model_type(fields, row);
  const DecoderTraits& traits = row.decoder;
  ModelConfig c;
  c.model_type = row.model_type;
  c.architecture = row.name;
  c.dtype = stored_dtype(fields);
  read_sizes(fields, traits, c);
  c.norm_eps = fields.positive("rms_norm_eps");
  read_rope(fields, c);
  read_window(fields, traits, c);
  c.tied = fields.flag("tie_word_embeddings", false);
  c.output_bias =
      traits.attention_bias == AttentionBias::kByConfig && fields.flag("attention_bias", false);
  c.attention_bias = traits.attention_bias == AttentionBias::kQkv || c.output_bias;
  c.mlp_bias = traits.mlp_bias && fields.flag("mlp_bias", false);
  c.head_norms = traits.head_norms;
  c.activation = fields.text("hidden_act");
  c.bos = fields.token("bos_token_id");
  c.eos = fields.token("eos_token_id");
  c.quantized = fields.has("quantization_config");
  return c;
}

}  // namespace octet
