#include "models/architectures/llama.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "models/run/attention.h"

namespace octet {
namespace {

constexpr const char* kTable = "model.embed_tokens.weight";

}  // namespace

Llama::Llama(const ModelConfig& config) : config_(config) {
  topology_.blocks = static_cast<int>(config.layers);
  topology_.tables.push_back({kOutside, kTable, config.vocab, config.hidden});
  for (int i = 0; i < topology_.blocks; ++i) blocks_.push_back(add_block(i));
  head_ = topology_.add_site({kOutside,
                              "lm_head",
                              {{"lm_head", config.vocab, config.hidden, false}},
                              config.tied ? kTable : ""});
  final_norm_ = topology_.add_norm(
      {kOutside, "model.norm", config.hidden, true, false, config.norm_eps, head_});
}

Llama::Block Llama::add_block(int block) {
  const ModelConfig& c = config_;
  const std::string prefix = fmt::format("model.layers.{}.", block);
  const std::string attn = prefix + "self_attn.", mlp = prefix + "mlp.";
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  const auto add_site = [&](const std::string& name, std::vector<Matrix> matrices) {
    return topology_.add_site({block, name, std::move(matrices), ""});
  };
  const auto add_norm = [&](const std::string& name, int64_t dim, Id reader) {
    return topology_.add_norm({block, name, dim, true, false, c.norm_eps, reader});
  };
  Block ids{};
  ids.qkv = add_site(attn + "qkv_proj", {{attn + "q_proj", q, c.hidden, c.attention_bias},
                                         {attn + "k_proj", kv, c.hidden, c.attention_bias},
                                         {attn + "v_proj", kv, c.hidden, c.attention_bias}});
  ids.o = add_site(attn + "o_proj", {{attn + "o_proj", c.hidden, q, c.output_bias}});
  ids.gate_up =
      add_site(mlp + "gate_up_proj", {{mlp + "gate_proj", c.intermediate, c.hidden, c.mlp_bias},
                                      {mlp + "up_proj", c.intermediate, c.hidden, c.mlp_bias}});
  ids.down =
      add_site(mlp + "down_proj", {{mlp + "down_proj", c.hidden, c.intermediate, c.mlp_bias}});
  ids.input_norm = add_norm(prefix + "input_layernorm", c.hidden, ids.qkv);
  ids.post_norm = add_norm(prefix + "post_attention_layernorm", c.hidden, ids.gate_up);
  if (c.head_norms) {
    ids.q_norm = add_norm(attn + "q_norm", c.head_dim, -1);
    ids.k_norm = add_norm(attn + "k_norm", c.head_dim, -1);
  }
  add_folds(ids);
  return ids;
}

void Llama::add_folds(const Block& ids) {
  const ModelConfig& c = config_;
  const int64_t kv = c.kv_heads * c.head_dim;
  const int64_t values = topology_.sites[ids.qkv].n() - kv;  // v's rows come last
  topology_.folds.push_back({.norm = ids.input_norm, .rows = c.hidden, .into = {ids.qkv}});
  topology_.folds.push_back({.linear = ids.qkv,
                             .first_row = values,
                             .rows = kv,
                             .head = c.head_dim,
                             .repeat = static_cast<int>(c.heads / c.kv_heads),
                             .into = {ids.o}});
  topology_.folds.push_back({.norm = ids.post_norm, .rows = c.hidden, .into = {ids.gate_up}});
  topology_.folds.push_back({.linear = ids.gate_up,  // up's rows, behind gate's
                             .first_row = c.intermediate,
                             .rows = c.intermediate,
                             .into = {ids.down}});
}

Hidden Llama::begin(Executor& executor, const Batch& batch, State* state) const {
  Hidden hidden;
  hidden.batch = batch;
  hidden.x = executor.embed(kTable, batch.ids);
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
  const at::Tensor qkv =
      executor.linear(ids.qkv, input, hidden.batch.mask).view({b, t, h + 2 * g, d});
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
  const at::Tensor& real = hidden.batch.mask;
  const auto first = executor.add_norm(ids.input_norm, hidden.x, hidden.delta);
  const at::Tensor mixed = attention(executor, ids, first.out, hidden, i, state);
  const at::Tensor attended = executor.linear(ids.o, executor.quantize_input(ids.o, mixed), real);
  const auto second = executor.add_norm(ids.post_norm, first.stream, attended);
  const at::Tensor gate_up = executor.linear(ids.gate_up, second.out, real);
  hidden.delta =
      executor.linear(ids.down, executor.gate(ids.down, gate_up, config_.activation), real);
  hidden.x = second.stream;
}

at::Tensor Llama::end(Executor& executor, Hidden& hidden, bool last_only) const {
  at::Tensor x = hidden.x, delta = hidden.delta;
  if (last_only) {
    x = x.narrow(1, x.size(1) - 1, 1).contiguous();
    if (delta.defined()) delta = delta.narrow(1, delta.size(1) - 1, 1).contiguous();
  }
  return executor.linear(head_, executor.add_norm(final_norm_, x, delta).out,
                         last_only ? at::Tensor() : hidden.batch.mask);
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
