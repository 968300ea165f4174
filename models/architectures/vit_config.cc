// config.json of ViTForImageClassification.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "models/architectures/configs.h"

namespace octet {
namespace {

using nlohmann::json;

// transformers writes no id2label for its default, two classes.
constexpr int64_t kDefaultClasses = 2;

std::vector<std::string> read_labels(const ConfigFields& fields) {
  std::vector<std::string> labels;
  if (!fields.has("id2label")) {
    const int64_t count = fields.size("num_labels", kDefaultClasses);
    constexpr int64_t kMost = 1 << 22;
    if (count > kMost) {
      fields.fail(fmt::format("num_labels = {}", count), fmt::format("at most {}", kMost));
    }
    for (int64_t i = 0; i < count; ++i) labels.push_back(fmt::format("LABEL_{}", i));
    return labels;
  }
  const json& names = fields.get("id2label");
  if (!names.is_object() || names.empty()) fields.fail("no names in id2label", "one a class");
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string id = std::to_string(i);
    if (!names.contains(id) || !names[id].is_string()) {
      fields.fail(fmt::format("no name of class {} in id2label", id),
                  fmt::format("names of classes 0..{}", names.size() - 1));
    }
    labels.push_back(names[id].get<std::string>());
  }
  return labels;
}

void read_image(const ConfigFields& fields, ImageConfig& image) {
  image.channels = fields.size("num_channels", 3);
  std::tie(image.height, image.width) = fields.height_and_width("image_size");
  std::tie(image.patch_height, image.patch_width) = fields.height_and_width("patch_size");
  image.labels = read_labels(fields);
  constexpr int64_t kMostChannels = 64, kLargestSide = 1 << 14;
  if (image.channels > kMostChannels || std::max(image.height, image.width) > kLargestSide) {
    fields.fail(fmt::format("{} channels of {} x {}", image.channels, image.height, image.width),
                fmt::format("at most {} of {} x {}", kMostChannels, kLargestSide, kLargestSide));
  }
  if (image.patch_height > image.height || image.patch_width > image.width) {
    fields.fail(fmt::format("patches of {} x {} in images of {} x {}", image.patch_height,
                            image.patch_width, image.height, image.width),
                "patches inside the image");
  }
}

}  // namespace

ModelConfig parse_vit(const ConfigFields& fields, const Architecture& row) {
  ModelConfig c;
  c.architecture = row.name;
  c.model_type = row.model_type;
  c.dtype = stored_dtype(fields);
  c.hidden = fields.size("hidden_size");
  c.intermediate = fields.size("intermediate_size");
  c.layers = fields.size("num_hidden_layers");
  c.heads = c.kv_heads = fields.size("num_attention_heads");
  c.head_dim = c.hidden / c.heads;
  if (c.hidden % c.heads != 0) {
    fields.fail(fmt::format("hidden_size = {} and {} heads", c.hidden, c.heads),
                "a hidden_size that is a multiple of the heads");
  }
  c.image.emplace();
  read_image(fields, *c.image);
  c.vocab = static_cast<int64_t>(c.image->labels.size());
  c.max_positions = c.image->patches() + 1;
  check_widths(fields, c);
  c.norm_eps = fields.has("layer_norm_eps") ? fields.positive("layer_norm_eps") : 1e-12;
  c.attention_bias = fields.flag("qkv_bias", true);
  c.output_bias = c.mlp_bias = true;
  c.activation = fields.has("hidden_act") ? fields.text("hidden_act") : "gelu";
  c.dropout = fields.fraction("hidden_dropout_prob", 0);
  c.attention_dropout = fields.fraction("attention_probs_dropout_prob", 0);
  c.quantized = fields.has("quantization_config");
  return c;
}

}  // namespace octet
