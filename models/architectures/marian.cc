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

}  // namespace

at::Tensor sinusoidal_positions(int64_t begin, int64_t count, int64_t dim) {
  const auto options = at::TensorOptions(at::kDouble);
  const at::Tensor exponent = at::arange(0, dim / 2, options) * (2.0 / static_cast<double>(dim));
  const at::Tensor frequencies = at::reciprocal(at::pow(at::Scalar(10000.0), exponent));
  const at::Tensor angle = at::outer(at::arange(begin, begin + count, options), frequencies);
  return at::cat({at::sin(angle), at::cos(angle)}, -1).to(at::kFloat);
}

Marian::Marian(const ModelConfig& config) : config_(config) {
  topology_.encoder_blocks = static_cast<int>(config.encoder_layers);
  topology_.blocks = static_cast<int>(config.layers);
  topology_.tables.push_back({kOutside, kTable, config.vocab, config.hidden});
  topology_.tables.push_back({kOutside, kLogitsBias, 1, config.vocab});
  for (int i = 0; i < topology_.blocks; ++i) blocks_.push_back(add_block(i));
  head_ = topology_.add_site({kOutside,
                              "lm_head",
                              {{"lm_head", config.vocab, config.hidden, false}},
                              config.tied ? kTable : ""});
  positions_ =
      sinusoidal_positions(0, std::min(config.max_positions, kKeptPositions), config.hidden);
}

Marian::Attention Marian::add_attention(int block, const std::string& name, bool cross) {
  const int64_t width = config_.hidden;
  const auto add_site = [&](const char* site, const std::vector<const char*>& parts) {
    Site made{block, name + site, {}, ""};
    for (const char* part : parts) made.matrices.push_back({name + part, width, width, true});
    return topology_.add_site(std::move(made));
  };
  Attention ids{};
  ids.decoder = block >= topology_.encoder_blocks;
  if (cross) {
    ids.in = add_site(".q_proj", {".q_proj"});
    ids.memory = add_site(".kv_proj", {".k_proj", ".v_proj"});
  } else {
    ids.in = add_site(".qkv_proj", {".q_proj", ".k_proj", ".v_proj"});
  }
  ids.o = add_site(".out_proj", {".out_proj"});
  ids.norm =
      topology_.add_norm({block, name + "_layer_norm", width, false, true, config_.norm_eps, -1});
  const Id values = cross ? ids.memory : ids.in;
  topology_.folds.push_back({.linear = values,
                             .first_row = topology_.sites[values].n() - width,  // v's come last
                             .rows = width,
                             .into = {ids.o}});
  return ids;
}

Marian::Block Marian::add_block(int block) {
  const ModelConfig& c = config_;
  const bool decoder = block >= topology_.encoder_blocks;
  const std::string prefix = fmt::format("model.{}.layers.{}.", decoder ? "decoder" : "encoder",
                                         decoder ? block - topology_.encoder_blocks : block);
  const auto add_site = [&](const std::string& name, int64_t n, int64_t k) {
    return topology_.add_site({block, name, {{name, n, k, true}}, ""});
  };
  Block ids{};
  ids.self = add_attention(block, prefix + "self_attn", false);
  if (decoder) {
    ids.cross = add_attention(block, prefix + "encoder_attn", true);
    topology_.norms[ids.self.norm].reader = ids.cross.in;
  }
  ids.fc1 = add_site(prefix + "fc1", c.intermediate, c.hidden);
  ids.fc2 = add_site(prefix + "fc2", c.hidden, c.intermediate);
  topology_.norms[decoder ? ids.cross.norm : ids.self.norm].reader = ids.fc1;
  ids.final_norm = topology_.add_norm(
      {block, prefix + "final_layer_norm", c.hidden, false, true, c.norm_eps, -1});
  // Of the activations only relu commutes with a positive scale.
  if (c.activation == "relu") {
    topology_.folds.push_back({.linear = ids.fc1, .rows = c.intermediate, .into = {ids.fc2}});
  }
  return ids;
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
  const at::Tensor& real = ids.decoder ? hidden.batch.target_mask : hidden.batch.mask;
  const at::Tensor qkv = executor.linear(ids.in, executor.quantize_input(ids.in, hidden.x), real);
  at::Tensor joined;
  if (cache != nullptr && state->places) {
    const int64_t rows = qkv.size(0), steps = qkv.size(1);
    cache->k.narrow(0, state->places->begun, rows * steps)
        .copy_(qkv.view({rows * steps, 3 * width}).narrow(1, width, 2 * width));
    joined = attend_places(qkv.narrow(2, 0, width), *cache, state->places->self,
                           at::full({rows}, state->used + 1, at::kInt), true, h);
  } else {
    const at::Tensor parts = heads(qkv, 3);
    KvCache seen{parts.narrow(1, h, h), parts.narrow(1, 2 * h, h)};
    if (cache != nullptr) seen = append(*cache, *state, seen.k, seen.v);
    joined = attend(parts.narrow(1, 0, h), seen.k, seen.v, ids.decoder,
                    ids.decoder ? at::Tensor() : hidden.batch.mask)
                 .transpose(1, 2)
                 .reshape(hidden.x.sizes());
  }
  return executor.add_norm(
      ids.norm, hidden.x,
      executor.dropout(executor.linear(ids.o, executor.quantize_input(ids.o, joined), real),
                       config_.dropout));
}

at::Tensor Marian::memory_pairs(Executor& executor, Id site, const Hidden& hidden) const {
  return executor.linear(site, executor.quantize_input(site, hidden.memory), hidden.batch.mask);
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
  const at::Tensor& real = hidden.batch.target_mask;
  const at::Tensor q = executor.linear(ids.in, input.out, real);
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
      executor.dropout(executor.linear(ids.o, executor.quantize_input(ids.o, joined), real),
                       config_.dropout));
}

void Marian::block(Executor& executor, int i, Hidden& hidden, State* state) const {
  const Block& ids = blocks_[i];
  const int decoder = i - topology_.encoder_blocks;
  const bool cached = decoder >= 0 && state != nullptr;
  const at::Tensor& real = decoder < 0 ? hidden.batch.mask : hidden.batch.target_mask;
  Executor::Normed attended =
      self_attention(executor, ids.self, hidden, cached ? &state->self[decoder] : nullptr, state);
  if (decoder >= 0) {
    attended = cross_attention(executor, ids.cross, attended, hidden,
                               cached ? &state->cross[decoder] : nullptr, state);
  }
  const at::Tensor up = executor.linear(ids.fc1, attended.out, real);
  const at::Tensor down =
      executor.linear(ids.fc2, executor.gate(ids.fc2, up, config_.activation), real);
  hidden.x =
      executor.add_norm(ids.final_norm, attended.stream, executor.dropout(down, config_.dropout))
          .stream;
  if (decoder == -1) std::swap(hidden.x, hidden.memory);
}

at::Tensor Marian::end(Executor& executor, Hidden& hidden, bool last_only) const {
  at::Tensor x = hidden.x;
  if (last_only) x = x.narrow(1, x.size(1) - 1, 1).contiguous();
  const at::Tensor logits = executor.linear(head_, executor.quantize_input(head_, x),
                                            last_only ? at::Tensor() : hidden.batch.target_mask);
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
