#include "models/run/model.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace octet {

namespace {

void pick_rows(std::vector<KvCache>& caches, const at::Tensor& rows) {
  for (KvCache& cache : caches) {
    if (!cache.k.defined()) continue;
    cache.k = cache.k.index_select(0, rows);
    cache.v = cache.v.index_select(0, rows);
  }
}

// Dimension `dim` becomes `size`, what was there comes first.
void lengthen(at::Tensor& tensor, int64_t dim, int64_t size) {
  const int64_t filled = tensor.size(dim);
  if (size <= filled) return;
  auto sizes = tensor.sizes().vec();
  sizes[static_cast<size_t>(dim)] = size;
  at::Tensor longer = at::zeros(sizes, tensor.options());
  longer.narrow(dim, 0, filled).copy_(tensor);
  tensor = std::move(longer);
}

}  // namespace

void State::reorder(const at::Tensor& beams) {
  if (!places) return pick_rows(self, beams);
  for (at::Tensor* numbers : {&places->self, &places->memory, &places->memory_counts}) {
    if (numbers->defined()) *numbers = numbers->index_select(0, beams);
  }
}

void State::reorder_memory(const at::Tensor& sentences) {
  if (!places) pick_rows(cross, sentences);
}

void State::make_room(int64_t rows, int64_t most) {
  if (self.empty()) return;
  const auto more = [](int64_t held, int64_t needed, int64_t limit) {
    return held >= needed ? held : std::min(std::max(2 * held, needed), std::max(limit, needed));
  };
  if (!places) {
    const int64_t positions = more(self.front().k.size(2), used + 1, most);
    for (KvCache& cache : self) lengthen(cache.k, 2, positions), lengthen(cache.v, 2, positions);
    return;
  }
  lengthen(places->self, 1, more(places->self.size(1), used + 1, most));
  const int64_t needed = places->taken + rows;
  const int64_t count = more(self.front().k.size(0), needed, 2 * needed);
  for (KvCache& cache : self) lengthen(cache.k, 0, count);
}

at::Tensor on_device(const at::Tensor& tensor, at::Device device) {
  if (!tensor.defined() || tensor.device() == device) return tensor;
  return tensor.to(device, tensor.scalar_type(), device.is_cuda() && tensor.is_pinned());
}

Batch batch_on_device(const Batch& batch, at::Device device) {
  Batch moved = batch;
  for (at::Tensor* tensor : {&moved.ids, &moved.positions, &moved.mask, &moved.target_ids,
                             &moved.target_mask, &moved.pixels}) {
    *tensor = on_device(*tensor, device);
  }
  return moved;
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

}  // namespace octet
