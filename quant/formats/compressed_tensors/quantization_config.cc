#include "quant/formats/compressed_tensors/quantization_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/json.h"
#include "models/architectures/registry.h"
#include "quant/formats/compressed_tensors/elements.h"

namespace octet {
namespace {

using nlohmann::json;

json args(Dtype element, const char* strategy, const json& group, bool dynamic) {
  return {{"num_bits", bits(element)}, {"type", stored_element(element).type},
          {"symmetric", true},         {"strategy", strategy},
          {"group_size", group},       {"dynamic", dynamic},
          {"actorder", nullptr},       {"block_structure", nullptr},
          {"observer", "minmax"},      {"observer_kwargs", json::object()}};
}

json weight_args(const Scheme& scheme) {
  const auto& [element, group] = scheme.weight;
  if (group == 0) return args(element, "channel", nullptr, false);
  return args(element, "group", group, false);
}

json input_args(const Format& input) {
  if (!input.quantized()) return nullptr;
  const bool dynamic = input.per_token();
  json made = args(*input.element, dynamic ? "token" : "tensor", nullptr, dynamic);
  if (dynamic) made["observer"] = nullptr;
  return made;
}

// Distinct quantized schemes in the order in which the model meets them.
std::vector<Scheme> schemes_of(const std::vector<ModulePlan>& plan) {
  std::vector<Scheme> schemes;
  for (const ModulePlan& module : plan) {
    const bool seen = std::find(schemes.begin(), schemes.end(), module.scheme) != schemes.end();
    if (module.quantized() && !seen) schemes.push_back(module.scheme);
  }
  return schemes;
}

// Name of the module in the checkpoint and, where it is another one, the name that transformers 5
// compares with: unknown names do no harm in either.
void add_names(const std::string& module, json& names) {
  names.push_back(module);
  const std::string renamed = module_in_transformers5(module);
  if (renamed != module) names.push_back(renamed);
}

json config_group(const Scheme& scheme, const std::vector<ModulePlan>& plan) {
  json targets = json::array();
  for (const ModulePlan& module : plan) {
    if (module.scheme == scheme) add_names(module.module, targets);
  }
  return {{"targets", targets},
          {"format", storage_format(scheme)},
          {"weights", weight_args(scheme)},
          {"input_activations", input_args(scheme.input)},
          {"output_activations", nullptr}};
}

}  // namespace

const char* storage_format(const Scheme& scheme) {
  return scheme.weight_only() ? "pack-quantized" : stored_element(scheme.weight.element).format;
}

std::string quantized_config(const std::string& config_text, const std::vector<ModulePlan>& plan) {
  json config = parse_json(config_text, "config.json");
  json ignore = json::array(), groups = json::object();
  std::set<std::string> formats;
  for (const Scheme& scheme : schemes_of(plan)) {
    groups["group_" + std::to_string(groups.size())] = config_group(scheme, plan);
    formats.insert(storage_format(scheme));
  }
  for (const ModulePlan& module : plan) {
    if (!module.quantized()) add_names(module.module, ignore);
    if (module.quantized() && module.source != module.module + ".weight") {
      config["tie_word_embeddings"] = false;
    }
  }
  config["quantization_config"] = {
      {"quant_method", "compressed-tensors"},
      {"format", formats.size() == 1 ? *formats.begin() : "mixed-precision"},
      {"quantization_status", "compressed"},
      {"global_compression_ratio", nullptr},
      {"kv_cache_scheme", nullptr},
      {"ignore", ignore},
      {"config_groups", groups}};
  return config.dump(2) + "\n";
}

}  // namespace octet
