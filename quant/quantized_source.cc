#include "quant/quantized_source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/weight_sources.h"
#include "quant/qparams.h"

namespace octet {
namespace {

using nlohmann::json;
constexpr size_t kLongestPattern = 512;

json field(const json& object, const char* name) {
  return object.is_object() && object.contains(name) ? object[name] : json();
}

json quantization_config(const std::filesystem::path& directory) {
  const std::string path = (directory / "config.json").string();
  const json config = field(read_json(path), "quantization_config");
  if (config.is_object()) return config;
  throw Error(fmt::format("no quantization_config in {}", path), "a quantized directory",
              "quantize the model first");
}

std::string strip(const std::string& name, std::string_view suffix) {
  return name.substr(0, name.size() - suffix.size());
}

}  // namespace

CompressedTensorsConfig::CompressedTensorsConfig(const json& config, std::string what)
    : what_(std::move(what)) {
  if (field(config, "quant_method") != "compressed-tensors") {
    refuse("quant_method " + field(config, "quant_method").dump(), "\"compressed-tensors\"");
  }
  if (field(config, "quantization_status") != "compressed") {
    refuse("quantization_status " + field(config, "quantization_status").dump(), "\"compressed\"");
  }
  if (!field(config, "kv_cache_scheme").is_null()) refuse("a kv_cache_scheme", "null");
  const json groups = field(config, "config_groups");
  if (!groups.is_object() || groups.empty()) refuse("no config_groups", "at least one group");
  for (const auto& [name, group] : groups.items()) groups_.push_back(parse_group(group, name));
}

CompressedTensorsConfig::Group CompressedTensorsConfig::parse_group(const json& group,
                                                                    const std::string& name) const {
  const json weights = field(group, "weights"), inputs = field(group, "input_activations");
  if (field(weights, "num_bits") != 8 || field(weights, "type") != "int" ||
      field(weights, "symmetric") != true || field(weights, "strategy") != "channel") {
    refuse(fmt::format("weights {} of {}", weights.dump(), name),
           "8-bit symmetric integers per channel");
  }
  if (!field(group, "output_activations").is_null())
    refuse("output_activations in " + name, "null");
  Group parsed;
  parsed.activations = !inputs.is_null();
  if (parsed.activations) {
    parsed.dynamic = field(inputs, "dynamic") == true;
    const char* strategy = parsed.dynamic ? "token" : "tensor";
    if (field(inputs, "num_bits") != 8 || field(inputs, "type") != "int" ||
        field(inputs, "symmetric") != true || field(inputs, "strategy") != strategy) {
      refuse(fmt::format("input_activations {} of {}", inputs.dump(), name),
             "8-bit symmetric integers, per token when dynamic and per tensor when static");
    }
  }
  const json targets = field(group, "targets");
  if (!targets.is_array() || targets.empty()) refuse("no targets in " + name, "a list of targets");
  for (const json& target : targets) {
    if (!target.is_string() || target.get<std::string>().size() > kLongestPattern) {
      refuse("target " + target.dump(),
             fmt::format("a name of at most {} characters", kLongestPattern));
    }
    const auto text = target.get<std::string>();
    if (text == "Linear") {
      parsed.all = true;
    } else if (text.starts_with("re:")) {
      try {
        parsed.patterns.emplace_back(text.substr(3));
      } catch (const std::regex_error& e) {
        refuse("target " + target.dump(), "a regular expression");
      }
    } else {
      parsed.names.push_back(text);
    }
  }
  return parsed;
}

void CompressedTensorsConfig::refuse(const std::string& found, const std::string& expected) const {
  throw Error(fmt::format("{} in the quantization_config of {}", found, what_), expected,
              "quantize the model with octet, or with per-channel INT8 weights");
}

const CompressedTensorsConfig::Group& CompressedTensorsConfig::group_of(
    const std::string& module) const {
  for (const Group& group : groups_) {
    if (std::find(group.names.begin(), group.names.end(), module) != group.names.end())
      return group;
    for (const std::regex& pattern : group.patterns) {
      if (std::regex_search(module, pattern, std::regex_constants::match_continuous)) return group;
    }
  }
  for (const Group& group : groups_) {
    if (group.all) return group;
  }
  refuse(fmt::format("no target that matches {}", module), "a target for every quantized module");
}

bool CompressedTensorsConfig::dynamic(const std::string& module) const {
  return group_of(module).dynamic;
}
bool CompressedTensorsConfig::has_activations(const std::string& module) const {
  return group_of(module).activations;
}

QuantizedSource::QuantizedSource(const std::filesystem::path& directory)
    : checkpoint_(directory), config_(quantization_config(directory), directory.string()) {}

bool QuantizedSource::quantized(const std::string& module) const {
  return checkpoint_.has(module + ".weight_scale");
}

bool QuantizedSource::has(const std::string& name) const {
  return checkpoint_.has(name) ||
         (name.ends_with(".weight") && checkpoint_.has(strip(name, ".weight") + ".weight_packed"));
}

Weight QuantizedSource::get(const std::string& name) {
  Weight weight;
  const std::string module = name.ends_with(".weight") ? strip(name, ".weight") : "";
  if (module.empty() || !quantized(module)) {
    weight.dense = read_tensor(checkpoint_, name);
    check_finite(name, weight.dense);
    return weight;
  }
  const auto scale = [&](const char* suffix) {
    at::Tensor value = read_tensor(checkpoint_, module + suffix).to(at::kFloat);
    if (!value.gt(0).all().item<bool>() || !value.isfinite().all().item<bool>()) {
      throw Error(fmt::format("a scale that is not positive in {}{}", module, suffix),
                  "positive finite scales", "quantize the model again");
    }
    return value;
  };
  if (checkpoint_.has(module + ".weight_packed")) {
    const at::Tensor shape = read_tensor(checkpoint_, module + ".weight_shape").to(at::kLong);
    weight.q = unpack_codes(read_tensor(checkpoint_, module + ".weight_packed"),
                            shape.numel() == 2 ? shape[1].item<int64_t>() : 0, 8, name);
  } else {
    weight.q = read_tensor(checkpoint_, name);
  }
  weight.scale = scale(".weight_scale");
  if (weight.q.scalar_type() != at::kChar || weight.q.dim() != 2 ||
      weight.scale.numel() != weight.q.size(0)) {
    throw Error(fmt::format("codes and scales of {} that do not fit each other", name),
                "I8 [n, k] with one scale a row", "quantize the model again");
  }
  weight.bits = 8;
  if (config_.has_activations(module)) {
    weight.dynamic = config_.dynamic(module);
    if (!weight.dynamic) weight.input_scale = scale(".input_scale").reshape({1});
  }
  return weight;
}

}  // namespace octet
