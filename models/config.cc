#include "models/config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/architectures/families.h"
#include "models/config_fields.h"
#include "models/run/activation.h"
#include "models/vision_config.h"

namespace octet {
namespace {

using nlohmann::json;
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

void read_window(const Fields& fields, const Family& family, ModelConfig& c) {
  if (family.window == AttentionWindow::kField && fields.has("sliding_window")) {
    c.sliding_window = fields.size("sliding_window");
  }
  if (family.window == AttentionWindow::kFlag && fields.flag("use_sliding_window", false)) {
    fields.fail("use_sliding_window = true", "false, as in the released models");
  }
}

// Field that encoder and decoder have each and that must be the same in both.
int64_t same_on_both_sides(const Fields& fields, const std::string& suffix) {
  const std::string one = "encoder_" + suffix, other = "decoder_" + suffix;
  if (fields.size(one.c_str()) != fields.size(other.c_str())) {
    fields.fail(fmt::format("{} = {} and {} = {}", one, fields.size(one.c_str()), other,
                            fields.size(other.c_str())),
                "the same on both sides");
  }
  return fields.size(one.c_str());
}

// A token id that the vocabulary has.
int64_t marian_token(const Fields& fields, const char* name, int64_t vocab) {
  const auto id = fields.token(name);
  if (!id || *id >= vocab) {
    fields.fail(id ? fmt::format("{} = {}", name, *id) : fmt::format("no field \"{}\"", name),
                fmt::format("a token id below {}", vocab));
  }
  return *id;
}

ModelConfig parse_marian(const Fields& fields) {
  ModelConfig c;
  c.architecture = kMarian;
  c.model_type = "marian";
  c.dtype = stored_dtype(fields);
  c.hidden = fields.size("d_model");
  c.intermediate = same_on_both_sides(fields, "ffn_dim");
  c.encoder_layers = fields.size("encoder_layers");
  c.layers = c.encoder_layers + fields.size("decoder_layers");
  c.heads = c.kv_heads = same_on_both_sides(fields, "attention_heads");
  c.head_dim = c.hidden / c.heads;
  c.vocab = fields.size("vocab_size");
  c.max_positions = fields.size("max_position_embeddings");
  c.norm_eps = 1e-5;
  if (c.hidden % c.heads != 0 || c.hidden % 2 != 0) {
    fields.fail(fmt::format("d_model = {} and {} heads", c.hidden, c.heads),
                "an even d_model that is a multiple of the heads");
  }
  check_widths(fields, c);
  if (!fields.flag("share_encoder_decoder_embeddings", true) ||
      fields.size("decoder_vocab_size", c.vocab) != c.vocab) {
    fields.fail("separate embeddings of source and target",
                "one embedding for both, as in most OPUS-MT models");
  }
  c.tied = fields.flag("tie_word_embeddings", true);
  c.attention_bias = c.output_bias = c.mlp_bias = true;
  c.activation = fields.text("activation_function");
  if (!is_activation(c.activation)) {
    fields.fail(fmt::format("activation_function \"{}\"", c.activation),
                "silu, swish, gelu, gelu_new or relu");
  }
  c.scale_embedding = fields.flag("scale_embedding", false);
  c.dropout = fields.has("dropout") ? fields.fraction("dropout") : 0;
  c.bos = fields.token("bos_token_id");
  c.eos = marian_token(fields, "eos_token_id", c.vocab);
  c.pad = marian_token(fields, "pad_token_id", c.vocab);
  c.decoder_start = marian_token(fields, "decoder_start_token_id", c.vocab);
  c.quantized = fields.has("quantization_config");
  return c;
}

// The architecture's name; by model_type where "architectures" is left out.
std::string architecture(const json& config) {
  const json list = config.value("architectures", json());
  if (list.is_array() && list.size() == 1 && list[0].is_string()) return list[0];
  if (!list.is_null()) return list.dump();
  for (const Family& family : families()) {
    if (config.value("model_type", json()) == family.model_type) {
      return std::string(family.architecture);
    }
  }
  return "";
}

const Family& family_of(const Fields& fields) {
  const std::string type = fields.text("model_type"), name = architecture(fields.config());
  const Family* family = find_family(name);
  if (family == nullptr || family->model_type != type) {
    fields.fail(
        fmt::format("architecture \"{}\" (model_type \"{}\")", name, type),
        family == nullptr ? family_names() : fmt::format("model_type \"{}\"", family->model_type));
  }
  return *family;
}

void read_sizes(const Fields& fields, const Family& family, ModelConfig& c) {
  c.hidden = fields.size("hidden_size");
  c.intermediate = fields.size("intermediate_size");
  c.layers = fields.size("num_hidden_layers");
  c.heads = fields.size("num_attention_heads");
  c.kv_heads = family.derived_kv_heads ? fields.size("num_key_value_heads", c.heads)
                                       : fields.size("num_key_value_heads");
  c.head_dim = family.derived_head_dim ? fields.size("head_dim", c.hidden / c.heads)
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

}  // namespace

bool executable(const json& config) {
  if (!config.is_object()) return false;
  const std::string name = architecture(config);
  return name == kMarian || name == kVit || find_family(name) != nullptr;
}

ModelConfig parse_config(const json& config, const std::string& what) {
  const Fields fields(config, what);
  if (architecture(config) == kMarian) return parse_marian(fields);
  if (architecture(config) == kVit) return parse_vit(fields);
  const Family& family = family_of(fields);
  ModelConfig c;
  c.model_type = family.model_type;
  c.architecture = family.architecture;
  c.dtype = stored_dtype(fields);
  read_sizes(fields, family, c);
  c.norm_eps = fields.positive("rms_norm_eps");
  read_rope(fields, c);
  read_window(fields, family, c);
  c.tied = fields.flag("tie_word_embeddings", false);
  c.output_bias =
      family.attention_bias == AttentionBias::kByConfig && fields.flag("attention_bias", false);
  c.attention_bias = family.attention_bias == AttentionBias::kQkv || c.output_bias;
  c.mlp_bias = family.mlp_bias && fields.flag("mlp_bias", false);
  c.head_norms = family.head_norms;
  c.activation = fields.text("hidden_act");
  c.bos = fields.token("bos_token_id");
  c.eos = fields.token("eos_token_id");
  c.quantized = fields.has("quantization_config");
  return c;
}

}  // namespace octet
