#include "quant/formats/compressed_tensors/compressed_tensors_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "quant/formats/compressed_tensors/elements.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr const char* kPattern = "re:";
constexpr const char* kLinear = "Linear";
constexpr int64_t kLargestGroup = int64_t{1} << 20;

json field(const json& object, const char* name, const json& otherwise = nullptr) {
  if (!object.is_object() || !object.contains(name) || object[name].is_null()) return otherwise;
  return object[name];
}

bool one_of(const json& value, std::initializer_list<json> allowed) {
  return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

bool absent(const json& value) {
  return value.is_null() || value == json::object() || value == false;
}

// compressed-tensors infers a missing strategy from the group size.
json strategy_of(const json& args) {
  const json group = field(args, "group_size");
  if (group.is_null()) return field(args, "strategy", "tensor");
  return field(args, "strategy", group == -1 ? "channel" : "group");
}

// Of the arguments of weights or inputs; null where octet runs no such element.
const StoredElement* element_of(const json& args) {
  const json width = field(args, "num_bits", 8), type = field(args, "type", "int");
  for (const StoredElement& row : kStoredElements) {
    if (type == row.type && width == bits(row.element)) return &row;
  }
  return nullptr;
}

bool known_type(const json& type) {
  return std::any_of(std::begin(kStoredElements), std::end(kStoredElements),
                     [&](const StoredElement& row) { return type == row.type; });
}

std::string scheme_name(const Scheme& scheme) {
  std::string inputs = "16";
  if (scheme.input.quantized()) {
    inputs = fmt::format("{}-{}", bits(*scheme.input.element),
                         scheme.input.per_token() ? "dynamic" : "static");
  }
  const std::string name = fmt::format("w{}a{}", bits(scheme.weight.element), inputs);
  return scheme.weight.group > 0 ? fmt::format("{}-g{}", name, scheme.weight.group) : name;
}

}  // namespace

void ModuleTargets::add(const std::string& target, const std::string& what) {
  if (!target.starts_with(kPattern)) {
    names_.insert(target);
    return;
  }
  try {
    patterns_.try_emplace(target, target.substr(std::string_view(kPattern).size()), what);
  } catch (const UsageError& e) {
    throw Error(e.found(), e.expected(), "correct config.json");
  }
}

std::string ModuleTargets::claim(const std::string& module) const {
  if (names_.contains(module)) return module;
  for (const auto& [target, pattern] : patterns_) {
    if (pattern.matches(module)) return target;
  }
  return names_.contains(kLinear) ? kLinear : "";
}

CompressedTensorsConfig::CompressedTensorsConfig(const json& config, std::string what)
    : what_(std::move(what)) {
  refuse_unknown_features(config);
  const json groups = field(config, "config_groups");
  if (!groups.is_object() || groups.empty()) refuse("no config_groups", "at least one group");
  for (const auto& [name, group] : groups.items()) {
    const Group parsed = parse_group(group, name);
    parse_targets(field(group, "targets"), "targets of " + name, targets_, &parsed);
  }
  parse_targets(field(config, "ignore", json::array()), "ignore", ignored_, nullptr);
}

void CompressedTensorsConfig::refuse_unknown_features(const json& config) const {
  if (field(config, "quant_method") != "compressed-tensors") {
    refuse("quant_method " + field(config, "quant_method").dump(), "\"compressed-tensors\"");
  }
  if (field(config, "quantization_status") != "compressed") {
    refuse("quantization_status " + field(config, "quantization_status").dump(), "\"compressed\"");
  }
  for (const char* feature : {"kv_cache_scheme", "transform_config", "moe_sparsity_config"}) {
    if (!absent(field(config, feature))) refuse(std::string("a ") + feature, "none");
  }
  const json sparsity = field(config, "sparsity_config");
  if (!absent(sparsity) && field(sparsity, "format") != "dense") {
    refuse("a sparsity_config " + sparsity.dump(), "none");
  }
}

CompressedTensorsConfig::Group CompressedTensorsConfig::parse_group(const json& group,
                                                                    const std::string& name) const {
  if (!group.is_object()) refuse(fmt::format("group {} by a preset's name", name), "its arguments");
  const json format = field(group, "format");
  if (!format.is_null() &&
      !one_of(format, {"pack-quantized", "int-quantized", "naive-quantized"})) {
    refuse(fmt::format("format {} of {}", format.dump(), name),
           "pack-quantized, int-quantized or naive-quantized");
  }
  if (!field(group, "output_activations").is_null()) {
    refuse("output_activations in " + name, "null");
  }
  Group parsed;
  parse_weights(field(group, "weights"), name, parsed);
  parsed.scheme.input = parse_inputs(field(group, "input_activations"), name);
  if (parsed.scheme.weight.group > 0 && parsed.scheme.input.quantized()) {
    refuse(fmt::format("weights in groups with quantized input_activations in {}", name),
           "one weight scale a row where activations are quantized");
  }
  parsed.scheme.name = scheme_name(parsed.scheme);
  return parsed;
}

void CompressedTensorsConfig::parse_weights(const json& weights, const std::string& name,
                                            Group& group) const {
  const auto check = [&](bool good, const std::string& found, const std::string& expected) {
    if (!good) refuse(fmt::format("{} weights in {}", found, name), expected);
  };
  check(weights.is_object(), "no", "an object");
  const json bits = field(weights, "num_bits", 8), type = field(weights, "type", "int");
  check(known_type(type), fmt::format("{}-bit {}", bits.dump(), type.dump()), "integers");
  const StoredElement* row = element_of(weights);
  check(row != nullptr, bits.dump() + "-bit", "4 or 8 bits");
  check(field(weights, "symmetric", true) == true, "asymmetric", "symmetric ones");
  check(field(weights, "dynamic", false) == false, "dynamic", "static ones");
  const json order = field(weights, "actorder", false);
  check(one_of(order, {false, "weight", "static"}), "actorder " + order.dump(),
        "columns in their own order (actorder null or \"weight\")");
  const json strategy = strategy_of(weights);
  check(one_of(strategy, {"channel", "group", "tensor"}), strategy.dump() + " strategy",
        "channel, group or tensor");
  group.scheme.weight.element = row->element;
  group.per_tensor = strategy == "tensor";
  if (strategy != "group") return;
  const json size = field(weights, "group_size");
  check(size.is_number_integer() && size > 0 && size <= kLargestGroup, "group_size " + size.dump(),
        "a positive number");
  group.scheme.weight.group = size.get<int64_t>();
}

Format CompressedTensorsConfig::parse_inputs(const json& inputs, const std::string& name) const {
  if (inputs.is_null()) return Format::kFloat;
  const bool dynamic = field(inputs, "dynamic", false) == true;
  const StoredElement* row = element_of(inputs);
  const bool known = row != nullptr && row->input && field(inputs, "symmetric", true) == true &&
                     one_of(field(inputs, "dynamic", false), {true, false}) &&
                     strategy_of(inputs) == (dynamic ? "token" : "tensor");
  if (!known) {
    refuse(fmt::format("input_activations {} of {}", inputs.dump(), name),
           "8-bit symmetric integers, per token when dynamic and per tensor when static");
  }
  return {row->element, dynamic ? Granularity::kToken : Granularity::kTensor};
}

void CompressedTensorsConfig::parse_targets(const json& targets, const std::string& what,
                                            ModuleTargets& into, const Group* group) {
  if (!targets.is_array()) refuse("no " + what, "a list of names");
  for (const json& target : targets) {
    if (!target.is_string()) refuse(fmt::format("{} in {}", target.dump(), what), "a name");
    into.add(target.get<std::string>(), fmt::format("{} in {}", what, what_));
    if (group != nullptr) groups_[target.get<std::string>()] = *group;
  }
}

const CompressedTensorsConfig::Group* CompressedTensorsConfig::group_of(
    const std::string& module) const {
  if (!ignored_.claim(module).empty()) return nullptr;
  const auto found = groups_.find(targets_.claim(module));
  return found == groups_.end() ? nullptr : &found->second;
}

void CompressedTensorsConfig::refuse(const std::string& found, const std::string& expected) const {
  throw Error(fmt::format("{} in the quantization_config of {}", found, what_), expected,
              "quantize the model with octet, or with symmetric INT8 or INT4 weights");
}

}  // namespace octet
