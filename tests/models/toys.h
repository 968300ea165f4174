// Random toys for the seam: pre-norm grouped-query decoders (the real Llama code, tiny), plain and
// with all that sets its family's members apart, and a post-norm encoder-decoder with tied tables
// that exists only here.
#pragma once
#include <ATen/ATen.h>

#include "models/architectures/llama.h"
#include "models/run/attention.h"
#include "models/weights/weight_sources.h"

namespace octet::test {

inline ModelConfig toy_config() {
  ModelConfig c;
  c.architecture = "LlamaForCausalLM";
  c.hidden = 24, c.intermediate = 40, c.layers = 3, c.heads = 6, c.kv_heads = 2, c.head_dim = 4;
  c.vocab = 50, c.max_positions = 64, c.norm_eps = 1e-5, c.rope_theta = 10000, c.tied = true;
  c.activation = "silu";
  return c;
}

/// All that sets the other families apart, in one: biases of q, k and v, normed heads of their own
/// width, Llama 3's scaling and a window.
inline ModelConfig busy_config() {
  ModelConfig c = toy_config();
  c.attention_bias = c.head_norms = true;
  c.head_dim = 6, c.sliding_window = 4;
  c.rope_scaling = RopeScaling{8, 1, 4, 16};
  return c;
}

/// Post-norm encoder-decoder, one shared table for source, target and head. Blocks: encoder first.
class ToyEncoderDecoder : public Model {
 public:
  static constexpr int64_t kDim = 16, kHeads = 4, kFfn = 32, kVocab = 40;

  ToyEncoderDecoder() {
    topology_.encoder_blocks = 2;
    topology_.blocks = 4;
    topology_.tables.push_back({kOutside, "shared.weight", kVocab, kDim});
    for (int block = 0; block < topology_.blocks; ++block) {
      const bool decoder = block >= topology_.encoder_blocks;
      const std::string p = "block." + std::to_string(block) + ".";
      site(block, p + "qkv", {{p + "q", kDim}, {p + "k", kDim}, {p + "v", kDim}}, kDim);
      site(block, p + "o", {{p + "o", kDim}}, kDim);
      norm(block, p + "norm_attn");
      if (decoder) {
        site(block, p + "cross_q", {{p + "cross_q", kDim}}, kDim);
        site(block, p + "cross_kv", {{p + "cross_k", kDim}, {p + "cross_v", kDim}}, kDim);
        site(block, p + "cross_o", {{p + "cross_o", kDim}}, kDim);
        norm(block, p + "norm_cross");
      }
      site(block, p + "fc1", {{p + "fc1", kFfn}}, kDim);
      site(block, p + "fc2", {{p + "fc2", kDim}}, kFfn);
      norm(block, p + "norm_ffn");
    }
    topology_.sites.push_back(
        {kOutside, "lm_head", {{"lm_head", kVocab, kDim, false}}, "shared.weight"});
    // Each post-norm produces for the site that reads it first.
    link("norm_attn", "cross_q");
    link("norm_attn", "fc1");
    link("norm_cross", "fc1");
  }

  const Topology& topology() const override { return topology_; }

  Hidden begin(Executor& executor, const Batch& batch, State* state) const override {
    Hidden hidden;
    hidden.batch = batch;
    const bool decoding = state != nullptr && state->used > 0;
    hidden.x = executor.embed("shared.weight", decoding ? batch.target_ids : batch.ids);
    // The target's embedding waits in `memory` while the encoder runs: tables can be released.
    if (!decoding) hidden.memory = executor.embed("shared.weight", batch.target_ids);
    return hidden;
  }

  void block(Executor& e, int i, Hidden& h, State* state) const override {
    const bool decoder = i >= topology_.encoder_blocks;
    const bool encoded = state != nullptr && state->used > 0;
    if (!decoder && encoded) return;  // the memory stands in the cross caches
    if (i == topology_.encoder_blocks && !encoded) std::swap(h.x, h.memory);
    const std::string p = "block." + std::to_string(i) + ".";
    const at::Tensor real = decoder ? at::Tensor() : h.batch.mask;
    const auto qkv =
        e.linear(id(p + "qkv"), e.quantize_input(id(p + "qkv"), h.x), real).chunk(3, -1);
    KvCache kv{split(qkv[1]), split(qkv[2])};
    if (decoder && state != nullptr) kv = append(state->self[i], *state, kv.k, kv.v);
    at::Tensor mixed =
        join(attend(split(qkv[0]), kv.k, kv.v, decoder, decoder ? at::Tensor() : h.batch.mask));
    auto normed = e.add_norm(norm_id(p + "norm_attn"), h.x,
                             e.linear(id(p + "o"), e.quantize_input(id(p + "o"), mixed), real));
    if (decoder) normed = cross(e, i, p, h, normed, state);
    const auto hidden = e.linear(id(p + "fc1"), normed.out, real);
    const auto delta = e.linear(id(p + "fc2"), e.gate(id(p + "fc2"), hidden, "relu"), real);
    h.x = e.add_norm(norm_id(p + "norm_ffn"), normed.stream, e.dropout(delta, 0.1)).stream;
  }

  at::Tensor end(Executor& e, Hidden& h, bool) const override {
    const Id head = static_cast<Id>(topology_.sites.size() - 1);
    return e.linear(head, e.quantize_input(head, h.x), {});
  }

  State new_state(const Executor& e, int64_t batch, int64_t capacity) const override {
    const auto options = at::TensorOptions(e.options().compute).device(e.options().device);
    State state;
    state.self.resize(topology_.blocks);
    state.cross.resize(topology_.blocks);
    for (KvCache& cache : state.self) {
      cache = {at::zeros({batch, kHeads, capacity, kDim / kHeads}, options),
               at::zeros({batch, kHeads, capacity, kDim / kHeads}, options)};
    }
    state.length = at::zeros({1}, options.dtype(at::kLong));
    return state;
  }

 private:
  Executor::Normed cross(Executor& e, int i, const std::string& p, const Hidden& h,
                         const Executor::Normed& in, State* state) const {
    const at::Tensor q = e.linear(id(p + "cross_q"), in.out, {});
    KvCache kv;
    if (state != nullptr && state->used > 0) {
      kv = state->cross[i];
    } else {
      const Activation memory = e.quantize_input(id(p + "cross_kv"), h.memory);
      const auto parts = e.linear(id(p + "cross_kv"), memory, h.batch.mask).chunk(2, -1);
      kv = {split(parts[0]), split(parts[1])};
      if (state != nullptr) state->cross[i] = kv;
    }
    const at::Tensor mixed = join(attend(split(q), kv.k, kv.v, false, h.batch.mask));
    return e.add_norm(norm_id(p + "norm_cross"), in.stream,
                      e.linear(id(p + "cross_o"), e.quantize_input(id(p + "cross_o"), mixed), {}));
  }

  static at::Tensor split(const at::Tensor& x) {
    return x.view({x.size(0), x.size(1), kHeads, kDim / kHeads}).transpose(1, 2);
  }
  static at::Tensor join(const at::Tensor& x) {
    return x.transpose(1, 2).reshape({x.size(0), x.size(2), kDim});
  }
  void site(int block, const std::string& name,
            const std::vector<std::pair<std::string, int64_t>>& rows, int64_t k) {
    Site made{block, name, {}, ""};
    for (const auto& [matrix, n] : rows) made.matrices.push_back({matrix, n, k, true});
    topology_.sites.push_back(made);
  }
  void norm(int block, const std::string& name) {
    topology_.norms.push_back({block, name, kDim, false, true, 1e-5, -1});
  }
  void link(const std::string& norm_suffix, const std::string& site_suffix) {
    for (Norm& norm : topology_.norms) {
      if (!norm.name.ends_with(norm_suffix) || norm.reader >= 0) continue;
      for (size_t s = 0; s < topology_.sites.size(); ++s) {
        const Site& site = topology_.sites[s];
        if (site.block == norm.block && site.name.ends_with("." + site_suffix))
          norm.reader = static_cast<Id>(s);
      }
    }
  }
  Id id(const std::string& name) const { return site_index(topology_, name); }
  Id norm_id(const std::string& name) const {
    for (size_t i = 0; i < topology_.norms.size(); ++i) {
      if (topology_.norms[i].name == name) return static_cast<Id>(i);
    }
    return -1;
  }
  Topology topology_;
};

/// A toy with its random weights, and batches that fit it.
struct Toy {
  std::string name;
  std::shared_ptr<Model> model;
  std::shared_ptr<WeightSource> source;
  bool encoder_decoder;
  at::Device device = at::kCPU;
  at::ScalarType compute = at::kFloat;

  Executor executor(bool load = true) const {
    Executor made(model->topology(), source, float_factory(compute, device),
                  {compute, device, false});
    if (load) made.load_all();
    return made;
  }
  Batch batch() const {
    Batch made;
    made.ids = (at::arange(2 * 9).view({2, 9}) * 7 + 3) % 37;
    if (encoder_decoder) {
      made.target_ids = (at::arange(2 * 6).view({2, 6}) * 5 + 1) % 37;
      made.mask = at::ones({2, 9}, at::kBool);
      made.mask[1].narrow(0, 6, 3).fill_(false);
    }
    for (at::Tensor* tensor : {&made.ids, &made.target_ids, &made.mask}) {
      if (tensor->defined()) *tensor = tensor->to(device);
    }
    return made;
  }
};

inline std::vector<Toy> toys() {
  const auto decoder = std::make_shared<Llama>(toy_config());
  const auto busy = std::make_shared<Llama>(busy_config());
  const auto both = std::make_shared<ToyEncoderDecoder>();
  return {{"decoder", decoder, memory_weights(random_tensors(decoder->topology(), 1, 0.2)), false},
          {"encoder_decoder", both, memory_weights(random_tensors(both->topology(), 2, 0.2)), true},
          {"busy_decoder", busy, memory_weights(random_tensors(busy->topology(), 3, 0.2)), false}};
}

}  // namespace octet::test
