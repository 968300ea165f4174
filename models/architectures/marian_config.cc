// config.json of MarianMTModel.
#include <fmt/format.h>

#include "models/activation_kind.h"
#include "models/architectures/configs.h"

namespace octet {
namespace {

using Fields = ConfigFields;

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

}  // namespace

ModelConfig parse_marian(const ConfigFields& fields, const Architecture& row) {
  ModelConfig c;
  c.architecture = row.name;
  c.model_type = row.model_type;
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

}  // namespace octet
