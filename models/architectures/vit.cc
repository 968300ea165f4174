#include "models/architectures/vit.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <array>

#include "core/error.h"
#include "models/run/attention.h"

namespace octet {
namespace {

constexpr const char* kClassToken = "vit.embeddings.cls_token";
constexpr const char* kPositions = "vit.embeddings.position_embeddings";
constexpr const char* kPatchWeight = "vit.embeddings.patch_embeddings.projection.weight";
constexpr const char* kPatchBias = "vit.embeddings.patch_embeddings.projection.bias";

}  // namespace

Vit::Vit(const ModelConfig& config) : config_(config) {
  topology_.blocks = static_cast<int>(config.layers);
  add_tables();
  for (int i = 0; i < topology_.blocks; ++i) blocks_.push_back(add_block(i));
  classifier_ = topology_.add_site(
      {kOutside, "classifier", {{"classifier", config.vocab, config.hidden, true}}, ""});
  final_norm_ = topology_.add_norm(
      {kOutside, "vit.layernorm", config.hidden, false, false, config.norm_eps, classifier_});
}

void Vit::add_tables() {
  const ModelConfig& c = config_;
  const ImageConfig& image = *c.image;
  const int64_t positions = image.patches() + 1;
  const int64_t pixels = image.channels * image.patch_height * image.patch_width;
  topology_.tables = {{kOutside, kClassToken, 1, c.hidden, {1, 1, c.hidden}},
                      {kOutside, kPositions, positions, c.hidden, {1, positions, c.hidden}},
                      {kOutside,
                       kPatchWeight,
                       c.hidden,
                       pixels,
                       {c.hidden, image.channels, image.patch_height, image.patch_width}},
                      {kOutside, kPatchBias, 1, c.hidden, {c.hidden}}};
}

Vit::Block Vit::add_block(int block) {
  const ModelConfig& c = config_;
  const std::string prefix = fmt::format("vit.encoder.layer.{}.", block);
  const std::string attention = prefix + "attention.attention.";
  const auto add_site = [&](const std::string& name, int64_t n, int64_t k) {
    return topology_.add_site({block, name, {{name, n, k, true}}, ""});
  };
  const auto add_norm = [&](const std::string& name, Id reader) {
    return topology_.add_norm({block, name, c.hidden, false, false, c.norm_eps, reader});
  };
  Block ids{};
  ids.qkv = topology_.add_site({block,
                                attention + "qkv",
                                {{attention + "query", c.hidden, c.hidden, c.attention_bias},
                                 {attention + "key", c.hidden, c.hidden, c.attention_bias},
                                 {attention + "value", c.hidden, c.hidden, c.attention_bias}},
                                ""});
  ids.o = add_site(prefix + "attention.output.dense", c.hidden, c.hidden);
  ids.up = add_site(prefix + "intermediate.dense", c.intermediate, c.hidden);
  ids.down = add_site(prefix + "output.dense", c.hidden, c.intermediate);
  ids.norm_before = add_norm(prefix + "layernorm_before", ids.qkv);
  ids.norm_after = add_norm(prefix + "layernorm_after", ids.up);
  add_folds(ids);
  return ids;
}

void Vit::add_folds(const Block& ids) {
  const int64_t width = config_.hidden;
  const int64_t values = topology_.sites[ids.qkv].n() - width;  // v's rows come last
  topology_.folds.push_back({.norm = ids.norm_before, .rows = width, .into = {ids.qkv}});
  topology_.folds.push_back(
      {.linear = ids.qkv, .first_row = values, .rows = width, .into = {ids.o}});
  topology_.folds.push_back({.norm = ids.norm_after, .rows = width, .into = {ids.up}});
}

at::Tensor Vit::patches(const at::Tensor& pixels) const {
  const ImageConfig& image = *config_.image;
  const std::array<int64_t, 3> expected{image.channels, image.height, image.width};
  if (pixels.dim() != 4 || pixels.sizes().slice(1) != at::IntArrayRef(expected)) {
    throw Error(fmt::format("pixels of shape [{}]", fmt::join(pixels.sizes(), ", ")),
                fmt::format("[images, {}]", fmt::join(expected, ", ")),
                "preprocess images as preprocessor_config.json says");
  }
  const int64_t h = image.patch_height, w = image.patch_width;
  const int64_t rows = image.height / h, columns = image.width / w;
  return pixels.narrow(2, 0, rows * h)
      .narrow(3, 0, columns * w)
      .reshape({-1, image.channels, rows, h, columns, w})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({pixels.size(0), rows * columns, image.channels * h * w});
}

Hidden Vit::begin(Executor& executor, const Batch& batch, State*) const {
  const auto options =
      at::TensorOptions(executor.options().compute).device(executor.options().device);
  Hidden hidden;
  const at::Tensor seen = patches(batch.pixels.to(options));
  const at::Tensor embedded =
      at::linear(seen, executor.table(kPatchWeight), executor.table(kPatchBias).squeeze(0));
  const at::Tensor token =
      executor.table(kClassToken).unsqueeze(0).expand({seen.size(0), 1, config_.hidden});
  hidden.x =
      executor.dropout(at::cat({token, embedded}, 1) + executor.table(kPositions), config_.dropout);
  return hidden;
}

at::Tensor Vit::attention(Executor& executor, const Block& ids, const Activation& input) const {
  const int64_t h = config_.heads;
  const at::Tensor qkv = executor.linear(ids.qkv, input, {});
  const int64_t b = qkv.size(0), t = qkv.size(1);
  const at::Tensor heads = qkv.view({b, t, 3 * h, config_.head_dim}).transpose(1, 2);
  return attend(heads.narrow(1, 0, h), heads.narrow(1, h, h), heads.narrow(1, 2 * h, h), false, {},
                0, executor.training() ? config_.attention_dropout : 0)
      .transpose(1, 2)
      .reshape({b, t, config_.hidden});
}

void Vit::block(Executor& executor, int i, Hidden& hidden, State*) const {
  const Block& ids = blocks_[i];
  const auto first = executor.add_norm(ids.norm_before, hidden.x, hidden.delta);
  const at::Tensor mixed = attention(executor, ids, first.out);
  const at::Tensor attended = executor.linear(ids.o, executor.quantize_input(ids.o, mixed), {});
  const auto second =
      executor.add_norm(ids.norm_after, first.stream, executor.dropout(attended, config_.dropout));
  const at::Tensor up = executor.linear(ids.up, second.out, {});
  const at::Tensor down =
      executor.linear(ids.down, executor.gate(ids.down, up, config_.activation), {});
  hidden.delta = executor.dropout(down, config_.dropout);
  hidden.x = second.stream;
}

at::Tensor Vit::end(Executor& executor, Hidden& hidden, bool) const {
  const auto token = [](const at::Tensor& all) {
    return all.defined() ? all.narrow(1, 0, 1).contiguous() : all;
  };
  const auto normed = executor.add_norm(final_norm_, token(hidden.x), token(hidden.delta));
  return executor.linear(classifier_, normed.out, {}).squeeze(1);
}

State Vit::new_state(const Executor&, int64_t, int64_t) const {
  throw Error("decoding with a vision model", "a model that writes text",
              "score images with octet eval");
}

}  // namespace octet
