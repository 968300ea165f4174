#include "models/model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "models/architectures/families.h"
#include "models/architectures/llama.h"
#include "models/architectures/marian.h"
#include "models/architectures/vit.h"

namespace octet {

namespace {

void pick_rows(std::vector<KvCache>& caches, const at::Tensor& rows) {
  for (KvCache& cache : caches) {
    if (!cache.k.defined()) continue;
    cache.k = cache.k.index_select(0, rows);
    cache.v = cache.v.index_select(0, rows);
  }
}

}  // namespace

void State::reorder(const at::Tensor& beams) {
  pick_rows(self, beams);
}

void State::reorder_memory(const at::Tensor& sentences) {
  pick_rows(cross, sentences);
}

void State::grow(int64_t capacity) {
  for (KvCache& cache : self) {
    for (at::Tensor* old : {&cache.k, &cache.v}) {
      auto sizes = old->sizes().vec();
      const int64_t filled = sizes[2];
      if (capacity <= filled) continue;
      sizes[2] = capacity;
      at::Tensor grown = at::zeros(sizes, old->options());
      grown.narrow(2, 0, filled).copy_(*old);
      *old = std::move(grown);
    }
  }
}

std::map<std::string, at::Tensor> Hidden::tensors() const {
  std::map<std::string, at::Tensor> named;
  const auto add = [&named](const char* name, const at::Tensor& tensor) {
    if (tensor.defined()) named[name] = tensor;
  };
  add("x", x);
  add("delta", delta);
  add("memory", memory);
  add("rotary", rotary);
  add("batch.ids", batch.ids);
  add("batch.positions", batch.positions);
  add("batch.mask", batch.mask);
  add("batch.target_ids", batch.target_ids);
  add("batch.target_mask", batch.target_mask);
  add("batch.pixels", batch.pixels);
  return named;
}

Hidden Hidden::from_tensors(const std::map<std::string, at::Tensor>& tensors) {
  const auto get = [&tensors](const char* name) {
    const auto found = tensors.find(name);
    return found == tensors.end() ? at::Tensor() : found->second;
  };
  return {get("x"),
          get("delta"),
          get("memory"),
          get("rotary"),
          {get("batch.ids"), get("batch.positions"), get("batch.mask"), get("batch.target_ids"),
           get("batch.target_mask"), get("batch.pixels")}};
}

at::Tensor forward(const Model& model, Executor& executor, const Batch& batch, State* state,
                   bool last_only) {
  Hidden hidden = model.begin(executor, batch, state);
  const Topology& topology = model.topology();
  const bool encoded = topology.encoder_blocks > 0 && !batch.ids.defined();
  for (int i = encoded ? topology.encoder_blocks : 0; i < topology.blocks; ++i)
    model.block(executor, i, hidden, state);
  at::Tensor out = model.end(executor, hidden, last_only);
  if (state != nullptr) {
    const at::Tensor& ids = batch.target_ids.defined() ? batch.target_ids : batch.ids;
    state->used += ids.size(1);
    state->length.add_(ids.size(1));
  }
  return out;
}

std::unique_ptr<Model> make_model(const ModelConfig& config) {
  if (find_family(config.architecture) != nullptr) return std::make_unique<Llama>(config);
  if (config.architecture == kMarian) return std::make_unique<Marian>(config);
  if (config.architecture == kVit) return std::make_unique<Vit>(config);
  throw Error(fmt::format("architecture {}", config.architecture), family_names(),
              "quantize this model by the names of its tensors");
}

}  // namespace octet
