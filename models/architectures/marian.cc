#include "models/architectures/marian.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "models/attention.h"

namespace octet {
namespace {

constexpr const char* kTable = "model.shared.weight";
constexpr const char* kLogitsBias = "final_logits_bias";

Id last_site(const Topology& topology) {
  return static_cast<Id>(topology.sites.size()) - 1;
}

// One attention: its sites, its norm after the sum, and the pair (values, output) for folds.
void add_attention(Topology& topology, const ModelConfig& c, int block, const std::string& name,
                   bool cross) {
  const auto matrix = [&](const char* part) {
    return Matrix{name + part, c.hidden, c.hidden, true};
  };
  if (cross) {
    topology.sites.push_back({block, name + ".q_proj", {matrix(".q_proj")}, ""});
    topology.sites.push_back(
        {block, name + ".kv_proj", {matrix(".k_proj"), matrix(".v_proj")}, ""});
  } else {
    topology.sites.push_back(
        {block, name + ".qkv_proj", {matrix(".q_proj"), matrix(".k_proj"), matrix(".v_proj")}, ""});
  }
  const Id values = last_site(topology);
  topology.sites.push_back({block, name + ".out_proj", {matrix(".out_proj")}, ""});
  topology.folds.push_back({-1, values, values + 1, 1});
  topology.norms.push_back(
      {block, name + "_layer_norm", c.hidden, false, true, c.norm_eps, values + 2});
}

void add_block(Topology& topology, const ModelConfig& c, int block) {
  const bool decoder = block >= c.encoder_layers;
  const std::string prefix = fmt::format("model.{}.layers.{}.", decoder ? "decoder" : "encoder",
                                         decoder ? block - c.encoder_layers : block);
  add_attention(topology, c, block, prefix + "self_attn", false);
  if (decoder) add_attention(topology, c, block, prefix + "encoder_attn", true);
  topology.sites.push_back(
      {block, prefix + "fc1", {{prefix + "fc1", c.intermediate, c.hidden, true}}, ""});
  topology.sites.push_back(
      {block, prefix + "fc2", {{prefix + "fc2", c.hidden, c.intermediate, true}}, ""});
  const Id fc2 = last_site(topology);
  // Only relu commutes with a positive scale.
  if (c.activation == "relu") topology.folds.push_back({-1, fc2 - 1, fc2, 1});
  topology.norms.push_back(
      {block, prefix + "final_layer_norm", c.hidden, false, true, c.norm_eps, -1});
}

}  // namespace

Topology marian_topology(const ModelConfig& config) {
  Topology topology;
  topology.encoder_blocks = static_cast<int>(config.encoder_layers);
  topology.blocks = static_cast<int>(config.layers);
  topology.tables.push_back({kOutside, kTable, config.vocab, config.hidden});
  topology.tables.push_back({kOutside, kLogitsBias, 1, config.vocab});
  for (int block = 0; block < topology.blocks; ++block) add_block(topology, config, block);
  topology.sites.push_back({kOutside,
                            "lm_head",
                            {{"lm_head", config.vocab, config.hidden, false}},
                            config.tied ? kTable : ""});
  return topology;
}

at::Tensor sinusoidal_positions(int64_t begin, int64_t count, int64_t dim) {
  const auto options = at::TensorOptions(at::kDouble);
  const at::Tensor exponent = at::arange(0, dim / 2, options) * (2.0 / static_cast<double>(dim));
  const at::Tensor frequencies = at::reciprocal(at::pow(at::Scalar(10000.0), exponent));
  const at::Tensor angle = at::outer(at::arange(begin, begin + count, options), frequencies);
  return at::cat({at::sin(angle), at::cos(angle)}, -1).to(at::kFloat);
}

Marian::Marian(const ModelConfig& config) : config_(config), topology_(marian_topology(config)) {
  Id site = 0, norm = 0;
  for (int i = 0; i < topology_.blocks; ++i) {
    Block block{};
    block.self = {site, site + 1, norm++};
    site += 2;
    if (i >= topology_.encoder_blocks) {
      block.cross = {site, site + 2, norm++, site + 1};
      site += 3;
    }
    block.fc1 = site++;
    block.fc2 = site++;
    block.final_norm = norm++;
    blocks_.push_back(block);
  }
  head_ = site;
}

at::Tensor Marian::embedded(Executor& executor, const at::Tensor& ids, const State* state) const {
  const int64_t begin = state == nullptr ? 0 : state->used, end = begin + ids.size(1);
  if (end > config_.max_positions) {
    throw Error(fmt::format("{} positions", end), fmt::format("at most {}", config_.max_positions),
                "split the sentence");
  }
  at::Tensor x = executor.embed(kTable, ids);
  if (config_.scale_embedding) x = x * std::sqrt(static_cast<double>(config_.hidden));
  return executor.dropout(
      x + sinusoidal_positions(begin, ids.size(1), config_.hidden).to(x.options()),
      config_.dropout);
}

// Until the encoder is done, `memory` holds the decoder's embedded stream.
Hidden Marian::begin(Executor& executor, const Batch& batch, State* state) const {
  Hidden hidden;
  hidden.batch = batch;
  const at::Device device = executor.options().device;
  for (at::Tensor* mask : {&hidden.batch.mask, &hidden.batch.target_mask}) {
    if (mask->defined()) *mask = mask->to(device);
  }
  hidden.x = embedded(executor, batch.target_ids, state);
  if (batch.ids.defined()) {
    hidden.memory = embedded(executor, batch.ids, nullptr);
    std::swap(hidden.x, hidden.memory);
  }
  return hidden;
}

at::Tensor Marian::heads(const at::Tensor& x, int64_t count) const {
  return x.view({x.size(0), x.size(1), count * config_.heads, config_.head_dim}).transpose(1, 2);
}

Executor::Normed Marian::self_attention(Executor& executor, const Attention& ids,
                                        const Hidden& hidden, KvCache* cache,
                                        const State* state) const {
  const int64_t h = config_.heads;
  const at::Tensor qkv = heads(executor.linear(ids.in, executor.read(ids.in, hidden.x)), 3);
  const bool causal = ids.norm >= blocks_[topology_.encoder_blocks].self.norm;
  KvCache seen{qkv.narrow(1, h, h), qkv.narrow(1, 2 * h, h)};
  if (cache != nullptr) seen = append(*cache, *state, seen.k, seen.v);
  const at::Tensor mixed = attend(qkv.narrow(1, 0, h), seen.k, seen.v, causal,
                                  causal ? at::Tensor() : hidden.batch.mask);
  const at::Tensor joined = mixed.transpose(1, 2).reshape(hidden.x.sizes());
  return executor.add_norm(
      ids.norm, hidden.x,
      executor.dropout(executor.linear(ids.o, executor.read(ids.o, joined)), config_.dropout));
}

KvCache Marian::memory_heads(Executor& executor, Id site, const Hidden& hidden) const {
  executor.set_tokens(hidden.batch.mask);
  const at::Tensor kv = heads(executor.linear(site, executor.read(site, hidden.memory)), 2);
  executor.set_tokens(hidden.batch.target_mask);
  return {kv.narrow(1, 0, config_.heads), kv.narrow(1, config_.heads, config_.heads)};
}

Executor::Normed Marian::cross_attention(Executor& executor, const Attention& ids,
                                         const Executor::Normed& input, const Hidden& hidden,
                                         KvCache* cache) const {
  KvCache seen;
  if (cache == nullptr) {
    seen = memory_heads(executor, ids.memory, hidden);
  } else {
    if (hidden.memory.defined()) *cache = memory_heads(executor, ids.memory, hidden);
    seen = *cache;
  }
  // Beams of one sentence read the same memory: they stand side by side as its queries.
  const at::Tensor q =
      executor.linear(ids.in, input.out).view({seen.k.size(0), -1, config_.hidden});
  const at::Tensor mixed = attend(heads(q, 1), seen.k, seen.v, false, hidden.batch.mask);
  const at::Tensor joined = mixed.transpose(1, 2).reshape(input.stream.sizes());
  return executor.add_norm(
      ids.norm, input.stream,
      executor.dropout(executor.linear(ids.o, executor.read(ids.o, joined)), config_.dropout));
}

void Marian::block(Executor& executor, int i, Hidden& hidden, State* state) const {
  const Block& ids = blocks_[i];
  const int decoder = i - topology_.encoder_blocks;
  const bool cached = decoder >= 0 && state != nullptr;
  executor.set_tokens(decoder < 0 ? hidden.batch.mask : hidden.batch.target_mask);
  Executor::Normed attended =
      self_attention(executor, ids.self, hidden, cached ? &state->self[decoder] : nullptr, state);
  if (decoder >= 0) {
    attended = cross_attention(executor, ids.cross, attended, hidden,
                               cached ? &state->cross[decoder] : nullptr);
  }
  const at::Tensor up = executor.linear(ids.fc1, attended.out);
  const at::Tensor down = executor.linear(ids.fc2, executor.gate(ids.fc2, up, config_.activation));
  hidden.x =
      executor.add_norm(ids.final_norm, attended.stream, executor.dropout(down, config_.dropout))
          .stream;
  if (decoder == -1) std::swap(hidden.x, hidden.memory);
}

at::Tensor Marian::end(Executor& executor, Hidden& hidden, bool last_only) const {
  at::Tensor x = hidden.x;
  if (last_only) {
    executor.set_tokens({});
    x = x.narrow(1, x.size(1) - 1, 1).contiguous();
  }
  const at::Tensor logits = executor.linear(head_, executor.read(head_, x));
  return logits + executor.embed(kLogitsBias, at::zeros({1}, at::kLong));
}

State Marian::new_state(const Executor& executor, int64_t batch, int64_t capacity) const {
  const auto options =
      at::TensorOptions(executor.options().compute).device(executor.options().device);
  State state;
  const int decoders = topology_.blocks - topology_.encoder_blocks;
  for (int i = 0; i < decoders; ++i) {
    const auto cache = [&] {
      return at::zeros({batch, config_.heads, capacity, config_.head_dim}, options);
    };
    state.self.push_back({cache(), cache()});
  }
  state.cross.resize(decoders);
  state.length = at::zeros({1}, options.dtype(at::kLong));
  return state;
}

}  // namespace octet
