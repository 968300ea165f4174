#include "models/architectures/marian.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "models/run/attention.h"

namespace octet {
namespace {

constexpr const char* kTable = "model.shared.weight";
constexpr const char* kLogitsBias = "final_logits_bias";
constexpr int64_t kKeptPositions = 512;  // more are computed where they are needed

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
  positions_ =
      sinusoidal_positions(0, std::min(config.max_positions, kKeptPositions), config.hidden);
}

at::Tensor Marian::positions(int64_t begin, int64_t count) const {
  return begin + count <= positions_.size(0) ? positions_.narrow(0, begin, count)
                                             : sinusoidal_positions(begin, count, config_.hidden);
}

at::Tensor Marian::embedded(Executor& executor, const at::Tensor& ids, const State* state) const {
  const int64_t begin = state == nullptr ? 0 : state->used, end = begin + ids.size(1);
  if (end > config_.max_positions) {
    throw Error(fmt::format("{} positions", end), fmt::format("at most {}", config_.max_positions),
                "split the sentence");
  }
  at::Tensor x = executor.embed(kTable, ids);
  if (config_.scale_embedding) x = x * std::sqrt(static_cast<double>(config_.hidden));
  return executor.dropout(x + positions(begin, ids.size(1)).to(x.options()), config_.dropout);
}

void Marian::take_places(const Batch& batch, State& state) const {
  Places& places = *state.places;
  const auto options = at::TensorOptions(at::kInt);
  const int64_t rows = batch.target_ids.size(0), steps = batch.target_ids.size(1);
  places.begun = places.taken;
  places.taken += rows * steps;
  if (state.used + steps > places.self.size(1) || places.taken > state.self.front().k.size(0)) {
    throw Error(fmt::format("{} positions", state.used + steps),
                fmt::format("at most the cache's {}", places.self.size(1)), "use a shorter text");
  }
  places.self.narrow(1, state.used, steps)
      .copy_(at::arange(places.begun, places.taken, options).view({rows, steps}));
  if (!batch.ids.defined()) return;
  const int64_t sentences = batch.ids.size(0), length = batch.ids.size(1);
  const at::Tensor mask =
      batch.mask.defined() ? batch.mask.to(at::kBool) : at::ones({sentences, length}, at::kBool);
  // Stable, so that the real positions come first and in their order.
  const at::Tensor order = std::get<1>(at::sort(mask.to(at::kInt), /*stable=*/true, 1, true));
  const at::Tensor begin = at::arange(sentences).unsqueeze(1) * length;
  const int64_t beams = rows / sentences;
  places.memory = (order + begin).to(at::kInt).repeat_interleave(beams, 0);
  places.memory_counts = mask.sum(1).to(at::kInt).repeat_interleave(beams, 0);
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
  if (state != nullptr && state->places) take_places(batch, *state);
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
  const int64_t h = config_.heads, width = config_.hidden;
  const at::Tensor qkv = executor.linear(ids.in, executor.quantize_input(ids.in, hidden.x));
  at::Tensor joined;
  if (cache != nullptr && state->places) {
    const int64_t rows = qkv.size(0), steps = qkv.size(1);
    cache->k.narrow(0, state->places->begun, rows * steps)
        .copy_(qkv.view({rows * steps, 3 * width}).narrow(1, width, 2 * width));
    joined = attend_places(qkv.narrow(2, 0, width), *cache, state->places->self,
                           at::full({rows}, state->used + 1, at::kInt), true, h);
  } else {
    const at::Tensor parts = heads(qkv, 3);
    const bool causal = ids.norm >= blocks_[topology_.encoder_blocks].self.norm;
    KvCache seen{parts.narrow(1, h, h), parts.narrow(1, 2 * h, h)};
    if (cache != nullptr) seen = append(*cache, *state, seen.k, seen.v);
    joined = attend(parts.narrow(1, 0, h), seen.k, seen.v, causal,
                    causal ? at::Tensor() : hidden.batch.mask)
                 .transpose(1, 2)
                 .reshape(hidden.x.sizes());
  }
  return executor.add_norm(
      ids.norm, hidden.x,
      executor.dropout(executor.linear(ids.o, executor.quantize_input(ids.o, joined)),
                       config_.dropout));
}

at::Tensor Marian::memory_pairs(Executor& executor, Id site, const Hidden& hidden) const {
  executor.set_tokens(hidden.batch.mask);
  const at::Tensor pairs = executor.linear(site, executor.quantize_input(site, hidden.memory));
  executor.set_tokens(hidden.batch.target_mask);
  return pairs;
}

KvCache Marian::as_heads(const at::Tensor& pairs) const {
  const at::Tensor kv = heads(pairs, 2);
  return {kv.narrow(1, 0, config_.heads), kv.narrow(1, config_.heads, config_.heads)};
}

Executor::Normed Marian::cross_attention(Executor& executor, const Attention& ids,
                                         const Executor::Normed& input, const Hidden& hidden,
                                         KvCache* cache, const State* state) const {
  const bool placed = cache != nullptr && state->places;
  KvCache seen = cache != nullptr ? *cache : KvCache{};
  if (hidden.memory.defined()) {
    const at::Tensor pairs = memory_pairs(executor, ids.memory, hidden);
    seen = placed ? KvCache{pairs.view({-1, pairs.size(2)}), {}} : as_heads(pairs);
    if (cache != nullptr) *cache = seen;
  }
  const at::Tensor q = executor.linear(ids.in, input.out);
  at::Tensor joined;
  if (placed) {
    joined = attend_places(q, seen, state->places->memory, state->places->memory_counts, false,
                           config_.heads);
  } else {
    // Beams of one sentence read the same memory: they stand side by side as its queries.
    joined = attend(heads(q.view({seen.k.size(0), -1, config_.hidden}), 1), seen.k, seen.v, false,
                    hidden.batch.mask)
                 .transpose(1, 2)
                 .reshape(input.stream.sizes());
  }
  return executor.add_norm(
      ids.norm, input.stream,
      executor.dropout(executor.linear(ids.o, executor.quantize_input(ids.o, joined)),
                       config_.dropout));
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
                               cached ? &state->cross[decoder] : nullptr, state);
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
  const at::Tensor logits = executor.linear(head_, executor.quantize_input(head_, x));
  const at::Tensor bias = executor.table(kLogitsBias);
  return executor.training() ? logits + bias : logits.add_(bias);
}

State Marian::new_state(const Executor& executor, int64_t batch, int64_t capacity) const {
  const auto options =
      at::TensorOptions(executor.options().compute).device(executor.options().device);
  const bool placed =
      executor.options().device.is_cpu() && executor.options().compute == at::kFloat;
  State state;
  const int decoders = topology_.blocks - topology_.encoder_blocks;
  for (int i = 0; i < decoders; ++i) {
    if (placed) {
      state.self.push_back({at::empty({batch * capacity, 2 * config_.hidden}, options), {}});
      continue;
    }
    const auto cache = [&] {
      return at::zeros({batch, config_.heads, capacity, config_.head_dim}, options);
    };
    state.self.push_back({cache(), cache()});
  }
  state.cross.resize(decoders);
  state.length = at::zeros({1}, options.dtype(at::kLong));
  if (placed) state.places = Places{at::zeros({batch, capacity}, at::kInt), {}, {}, 0, 0};
  return state;
}

}  // namespace octet
