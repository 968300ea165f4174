#include "quant/formats/compressed_tensors/compressed_tensors.h"

#include <fmt/ranges.h>

#include <map>
#include <set>

#include "core/error.h"

namespace octet {
namespace {

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

ConstantTensor weight_shape(const ModulePlan& module) {
  return {{module.module + ".weight_shape", Dtype::kI64, {2}},
          bytes_of<int64_t>({module.n, module.k})};
}

ConstantTensor input_scale(const ModulePlan& module, Dtype type) {
  // The convention of weights: a weight of one column is its own range.
  const auto range = static_cast<float>(module.input_range);
  int8_t code = 0;
  float scale = 0;
  cpu::quantize_weights(&range, Dtype::kF32, 1, 1,
                        {module.scheme.input.element.value(), 0, false, type}, &code, &scale);
  const TensorInfo info{module.module + ".input_scale", type, {1}};
  std::string bytes(byte_count(info), '\0');
  cpu::store_scales(&scale, 1, type, bytes.data());
  return {info, bytes};
}

StreamItem module_item(const ModulePlan& module, const TensorInfo& info, Dtype scale_type) {
  if (info.shape != std::vector<int64_t>{module.n, module.k}) {
    throw Error(fmt::format("tensor {} of shape [{}]", info.name, fmt::join(info.shape, ", ")),
                fmt::format("[{}, {}], as config.json implies", module.n, module.k),
                "use the config.json that belongs to these weights");
  }
  const Scheme& scheme = module.scheme;
  StreamItem item{module.source,
                  module.module,
                  StreamItem::Action::kCodes,
                  {scheme.weight.element, scheme.weight.group, module.clip_search, scale_type},
                  {}};
  if (scheme.weight_only()) {
    item.action = StreamItem::Action::kPacked;
    item.constants.push_back(weight_shape(module));
  }
  if (scheme.input.per_tensor()) {
    item.constants.push_back(input_scale(module, scale_type));
  }
  return item;
}

}  // namespace

std::vector<StreamItem> stream_items(const TensorSource& source,
                                     const std::vector<ModulePlan>& plan, Dtype scale_type) {
  std::multimap<std::string, const ModulePlan*> readers;
  std::set<std::string> replaced;
  for (const ModulePlan& module : plan) {
    source.info(module.source);
    const std::string own = module.module + ".weight";
    if (module.quantized()) readers.emplace(module.source, &module);
    if (module.quantized() || module.source != own) replaced.insert(own);
  }
  std::vector<StreamItem> items;
  for (const TensorInfo& info : source.tensors()) {
    if (!replaced.contains(info.name)) {
      items.push_back({info.name, info.name, StreamItem::Action::kCopy, {}, {}});
    }
    const auto [first, last] = readers.equal_range(info.name);
    for (auto reader = first; reader != last; ++reader) {
      items.push_back(module_item(*reader->second, info, scale_type));
    }
  }
  return items;
}

void require_tensors(const TensorSource& source, const Topology& topology) {
  for (const Table& table : topology.tables) source.info(table.name);
  for (const Norm& norm : topology.norms) {
    source.info(norm.name + ".weight");
    if (!norm.rms) source.info(norm.name + ".bias");
  }
  for (const Site& site : topology.sites) {
    for (size_t i = 0; i < site.matrices.size(); ++i) {
      source.info(site.weight_name(i));
      if (site.matrices[i].bias) source.info(site.matrices[i].name + ".bias");
    }
  }
}

}  // namespace octet
