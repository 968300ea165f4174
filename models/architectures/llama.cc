#include "models/architectures/llama.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "models/run/attention.h"

namespace octet {
namespace {

void add_block(Topology& topology, const ModelConfig& c, int block) {
  const std::string prefix = fmt::format("model.layers.{}.", block);
  const std::string attn = prefix + "self_attn.", mlp = prefix + "mlp.";
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  const Id first = static_cast<Id>(topology.sites.size());
  const Id norm = static_cast<Id>(topology.norms.size());
  topology.sites.push_back({block,
                            attn + "qkv_proj",
                            {{attn + "q_proj", q, c.hidden, c.attention_bias},
                             {attn + "k_proj", kv, c.hidden, c.attention_bias},
                             {attn + "v_proj", kv, c.hidden, c.attention_bias}},
                            ""});
  topology.sites.push_back(
      {block, attn + "o_proj", {{attn + "o_proj", c.hidden, q, c.output_bias}}, ""});
  topology.sites.push_back({block,
                            mlp + "gate_up_proj",
                            {{mlp + "gate_proj", c.intermediate, c.hidden, c.mlp_bias},
                             {mlp + "up_proj", c.intermediate, c.hidden, c.mlp_bias}},
                            ""});
  topology.sites.push_back(
      {block, mlp + "down_proj", {{mlp + "down_proj", c.hidden, c.intermediate, c.mlp_bias}}, ""});
  topology.norms.push_back(
      {block, prefix + "input_layernorm", c.hidden, true, false, c.norm_eps, first});
  topology.norms.push_back(
      {block, prefix + "post_attention_layernorm", c.hidden, true, false, c.norm_eps, first + 2});
  if (c.head_norms) {
    for (const char* name : {"q_norm", "k_norm"}) {
      topology.norms.push_back({block, attn + name, c.head_dim, true, false, c.norm_eps, -1});
    }
  }
  topology.folds.push_back({norm, -1, first, 1});
  topology.folds.push_back({-1, first, first + 1, static_cast<int>(c.heads / c.kv_heads)});
  topology.folds.push_back({norm + 1, -1, first + 2, 1});
  topology.folds.push_back({-1, first + 2, first + 3, 1});
}

}  // namespace

Topology llama_topology(const ModelConfig& config) {
  Topology topology;
  topology.blocks = static_cast<int>(config.layers);
  topology.tables.push_back({kOutside, "model.embed_tokens.weight", config.vocab, config.hidden});
  for (int block = 0; block < topology.blocks; ++block) add_block(topology, config, block);
  const Id head = static_cast<Id>(topology.sites.size());
  topology.sites.push_back({kOutside,
                            "lm_head",
                            {{"lm_head", config.vocab, config.hidden, false}},
                            config.tied ? "model.embed_tokens.weight" : ""});
  topology.norms.push_back(
      {kOutside, "model.norm", config.hidden, true, false, config.norm_eps, head});
  return topology;
}

Llama::Llama(const ModelConfig& config) : config_(config), topology_(llama_topology(config)) {
  const int norms = config.head_norms ? 4 : 2;
  for (int i = 0; i < topology_.blocks; ++i) {
    const Id norm = norms * i, site = 4 * i;
    blocks_.push_back({norm, site, site + 1, norm + 1, site + 2, site + 3});
    if (config.head_norms) blocks_.back().q_norm = norm + 2, blocks_.back().k_norm = norm + 3;
  }
  final_norm_ = norms * topology_.blocks;
  head_ = 4 * topology_.blocks;
}

Hidden Llama::begin(Executor& executor, const Batch& batch, State* state) const {
  Hidden hidden;
  hidden.batch = batch;
  hidden.x = executor.embed("model.embed_tokens.weight", batch.ids);
  const at::Device device = hidden.x.device();
  at::Tensor positions = batch.positions;
  if (!positions.defined()) {
    positions = at::arange(batch.ids.size(1), at::TensorOptions(at::kLong).device(device));
    if (state != nullptr) positions = positions + state->length;
  }
  hidden.rotary = rotary_table(
      positions.to(device),
      rotary_frequencies(config_.head_dim, config_.rope_theta, config_.rope_scaling, device));
  return hidden;
}

at::Tensor Llama::queries_and_keys(Executor& executor, const Block& ids, const at::Tensor& qkv,
                                   const at::Tensor& rotary) const {
  const int64_t h = config_.heads, g = config_.kv_heads;
  at::Tensor heads = qkv.narrow(2, 0, h + g);
  if (config_.head_norms) {
    const auto norm = [&](Id id, int64_t first, int64_t count) {
      return executor.add_norm(id, qkv.narrow(2, first, count).contiguous(), {}).out.value;
    };
    heads = at::cat({norm(ids.q_norm, 0, h), norm(ids.k_norm, h, g)}, 2);
  }
  return apply_rotary(heads.transpose(1, 2), rotary);
}

at::Tensor Llama::attention(Executor& executor, const Block& ids, const Activation& input,
                            const Hidden& hidden, int i, State* state) const {
  const int64_t b = hidden.x.size(0), t = hidden.x.size(1), d = config_.head_dim;
  const int64_t h = config_.heads, g = config_.kv_heads;
  const at::Tensor qkv = executor.linear(ids.qkv, input).view({b, t, h + 2 * g, d});
  const at::Tensor rotated = queries_and_keys(executor, ids, qkv, hidden.rotary);
  const at::Tensor q = rotated.narrow(1, 0, h);
  KvCache seen{rotated.narrow(1, h, g), qkv.narrow(2, h + g, g).transpose(1, 2)};
  if (state != nullptr) seen = append(state->self[i], *state, seen.k, seen.v);
  return attend(q, seen.k, seen.v, true, state == nullptr ? hidden.batch.mask : at::Tensor(),
                config_.sliding_window)
      .transpose(1, 2)
      .reshape({b, t, h * d});
}

void Llama::block(Executor& executor, int i, Hidden& hidden, State* state) const {
  const Block& ids = blocks_[i];
  executor.set_tokens(hidden.batch.mask);
  const auto first = executor.add_norm(ids.input_norm, hidden.x, hidden.delta);
  const at::Tensor mixed = attention(executor, ids, first.out, hidden, i, state);
  const at::Tensor attended = executor.linear(ids.o, executor.quantize_input(ids.o, mixed));
  const auto second = executor.add_norm(ids.post_norm, first.stream, attended);
  const at::Tensor gate_up = executor.linear(ids.gate_up, second.out);
  hidden.delta = executor.linear(ids.down, executor.gate(ids.down, gate_up, config_.activation));
  hidden.x = second.stream;
}

at::Tensor Llama::end(Executor& executor, Hidden& hidden, bool last_only) const {
  at::Tensor x = hidden.x, delta = hidden.delta;
  if (last_only) {
    executor.set_tokens({});
    x = x.narrow(1, x.size(1) - 1, 1).contiguous();
    if (delta.defined()) delta = delta.narrow(1, delta.size(1) - 1, 1).contiguous();
  }
  return executor.linear(head_, executor.add_norm(final_norm_, x, delta).out);
}

State Llama::new_state(const Executor& executor, int64_t batch, int64_t capacity) const {
  const auto options =
      at::TensorOptions(executor.options().compute).device(executor.options().device);
  State state;
  for (int i = 0; i < topology_.blocks; ++i) {
    const auto cache = [&] {
      return at::zeros({batch, config_.kv_heads, capacity, config_.head_dim}, options);
    };
    state.self.push_back({cache(), cache()});
  }
  state.length = at::zeros({1}, options.dtype(at::kLong));
  return state;
}

}  // namespace octet
