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
constexpr const char* kBlock = "vit.encoder.layer.";

constexpr int kSites = 4, kNorms = 2;  // of a block

void add_tables(Topology& topology, const ModelConfig& c) {
  const ImageConfig& image = *c.image;
  const int64_t positions = image.patches() + 1;
  const int64_t pixels = image.channels * image.patch_height * image.patch_width;
  topology.tables = {{kOutside, kClassToken, 1, c.hidden, {1, 1, c.hidden}},
                     {kOutside, kPositions, positions, c.hidden, {1, positions, c.hidden}},
                     {kOutside,
                      kPatchWeight,
                      c.hidden,
                      pixels,
                      {c.hidden, image.channels, image.patch_height, image.patch_width}},
                     {kOutside, kPatchBias, 1, c.hidden, {c.hidden}}};
}

void add_block(Topology& topology, const ModelConfig& c, int block) {
  const std::string prefix = fmt::format("{}{}.", kBlock, block);
  const std::string attention = prefix + "attention.attention.";
  const Id first = static_cast<Id>(topology.sites.size());
  const Id norm = static_cast<Id>(topology.norms.size());
  const auto add_site = [&](const std::string& name, int64_t n, int64_t k) {
    topology.sites.push_back({block, name, {{name, n, k, true}}, ""});
  };
  topology.sites.push_back({block,
                            attention + "qkv",
                            {{attention + "query", c.hidden, c.hidden, c.attention_bias},
                             {attention + "key", c.hidden, c.hidden, c.attention_bias},
                             {attention + "value", c.hidden, c.hidden, c.attention_bias}},
                            ""});
  add_site(prefix + "attention.output.dense", c.hidden, c.hidden);
  add_site(prefix + "intermediate.dense", c.intermediate, c.hidden);
  add_site(prefix + "output.dense", c.hidden, c.intermediate);
  topology.norms.push_back(
      {block, prefix + "layernorm_before", c.hidden, false, false, c.norm_eps, first});
  topology.norms.push_back(
      {block, prefix + "layernorm_after", c.hidden, false, false, c.norm_eps, first + 2});
  topology.folds.push_back({norm, -1, first, 1});
  topology.folds.push_back({-1, first, first + 1, 1});
  topology.folds.push_back({norm + 1, -1, first + 2, 1});
}

}  // namespace

Topology vit_topology(const ModelConfig& config) {
  Topology topology;
  topology.blocks = static_cast<int>(config.layers);
  add_tables(topology, config);
  for (int block = 0; block < topology.blocks; ++block) add_block(topology, config, block);
  const Id classifier = static_cast<Id>(topology.sites.size());
  topology.sites.push_back(
      {kOutside, "classifier", {{"classifier", config.vocab, config.hidden, true}}, ""});
  topology.norms.push_back(
      {kOutside, "vit.layernorm", config.hidden, false, false, config.norm_eps, classifier});
  return topology;
}

std::string vit_module_in_transformers5(const std::string& module) {
  // By end; the first that fits.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kRenamed = {
      {{"attention.attention.query", "attention.q_proj"},
       {"attention.attention.key", "attention.k_proj"},
       {"attention.attention.value", "attention.v_proj"},
       {"attention.output.dense", "attention.o_proj"},
       {"intermediate.dense", "mlp.fc1"},
       {"output.dense", "mlp.fc2"}}};
  if (!module.starts_with(kBlock)) return module;
  std::string name = "vit.layers." + module.substr(std::string_view(kBlock).size());
  for (const auto& [stored, held] : kRenamed) {
    if (!name.ends_with(stored)) continue;
    return name.replace(name.size() - stored.size(), stored.size(), held);
  }
  return module;
}

Vit::Vit(const ModelConfig& config) : config_(config), topology_(vit_topology(config)) {
  for (int i = 0; i < topology_.blocks; ++i) {
    const Id norm = kNorms * i, site = kSites * i;
    blocks_.push_back({norm, site, site + 1, norm + 1, site + 2, site + 3});
  }
  final_norm_ = kNorms * topology_.blocks;
  classifier_ = kSites * topology_.blocks;
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
  const at::Tensor qkv = executor.linear(ids.qkv, input);
  const int64_t b = qkv.size(0), t = qkv.size(1);
  const at::Tensor heads = qkv.view({b, t, 3 * h, config_.head_dim}).transpose(1, 2);
  return attend(heads.narrow(1, 0, h), heads.narrow(1, h, h), heads.narrow(1, 2 * h, h), false, {},
                0, executor.training() ? config_.attention_dropout : 0)
      .transpose(1, 2)
      .reshape({b, t, config_.hidden});
}

void Vit::block(Executor& executor, int i, Hidden& hidden, State*) const {
  const Block& ids = blocks_[i];
  executor.set_tokens({});
  const auto first = executor.add_norm(ids.norm_before, hidden.x, hidden.delta);
  const at::Tensor mixed = attention(executor, ids, first.out);
  const at::Tensor attended = executor.linear(ids.o, executor.quantize_input(ids.o, mixed));
  const auto second =
      executor.add_norm(ids.norm_after, first.stream, executor.dropout(attended, config_.dropout));
  const at::Tensor up = executor.linear(ids.up, second.out);
  const at::Tensor down =
      executor.linear(ids.down, executor.gate(ids.down, up, config_.activation));
  hidden.delta = executor.dropout(down, config_.dropout);
  hidden.x = second.stream;
}

at::Tensor Vit::end(Executor& executor, Hidden& hidden, bool) const {
  const auto token = [](const at::Tensor& all) {
    return all.defined() ? all.narrow(1, 0, 1).contiguous() : all;
  };
  const auto normed = executor.add_norm(final_norm_, token(hidden.x), token(hidden.delta));
  return executor.linear(classifier_, normed.out).squeeze(1);
}

State Vit::new_state(const Executor&, int64_t, int64_t) const {
  throw Error("decoding with a vision model", "a model that writes text",
              "score images with octet eval");
}

}  // namespace octet
