#include "models/config_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr int64_t kLargest = int64_t{1} << 31;

}  // namespace

ConfigFields::ConfigFields(const json& config, std::string what)
    : config_(config), what_(std::move(what)) {
  if (!config.is_object()) fail("no JSON object", "a configuration object");
}

bool ConfigFields::has(const char* name) const {
  return config_.contains(name) && !config_[name].is_null();
}

int64_t ConfigFields::checked_size(const json& value, const char* name) const {
  if (!value.is_number_integer() || value.get<int64_t>() <= 0 || value.get<int64_t>() > kLargest) {
    fail(fmt::format("{} = {}", name, get(name).dump()),
         fmt::format("an integer in 1..{}", kLargest));
  }
  return value.get<int64_t>();
}

int64_t ConfigFields::size(const char* name) const {
  return checked_size(get(name), name);
}

int64_t ConfigFields::size(const char* name, int64_t otherwise) const {
  return has(name) ? size(name) : otherwise;
}

std::pair<int64_t, int64_t> ConfigFields::height_and_width(const char* name) const {
  const json& value = get(name);
  if (!value.is_array()) return {size(name), size(name)};
  if (value.size() != 2) fail(fmt::format("{} = {}", name, value.dump()), "height and width");
  return {checked_size(value[0], name), checked_size(value[1], name)};
}

double ConfigFields::positive(const char* name) const {
  const json& value = get(name);
  if (!value.is_number() || !(value.get<double>() > 0) || !std::isfinite(value.get<double>())) {
    fail(fmt::format("{} = {}", name, value.dump()), "a positive number");
  }
  return value.get<double>();
}

double ConfigFields::fraction(const char* name) const {
  const json& value = get(name);
  if (!value.is_number() || value.get<double>() < 0 || value.get<double>() >= 1) {
    fail(fmt::format("{} = {}", name, value.dump()), "a number in [0, 1)");
  }
  return value.get<double>();
}

double ConfigFields::fraction(const char* name, double otherwise) const {
  return has(name) ? fraction(name) : otherwise;
}

bool ConfigFields::flag(const char* name, bool otherwise) const {
  if (!has(name)) return otherwise;
  if (!config_[name].is_boolean())
    fail(fmt::format("{} = {}", name, config_[name].dump()), "true or false");
  return config_[name].get<bool>();
}

std::string ConfigFields::text(const char* name) const {
  const json& value = get(name);
  if (!value.is_string()) fail(fmt::format("{} = {}", name, value.dump()), "a string");
  return value.get<std::string>();
}

std::optional<int64_t> ConfigFields::token(const char* name) const {
  if (!has(name)) return std::nullopt;
  const json& value =
      config_[name].is_array() && !config_[name].empty() ? config_[name][0] : config_[name];
  if (!value.is_number_integer() || value.get<int64_t>() < 0) {
    fail(fmt::format("{} = {}", name, value.dump()), "a token id");
  }
  return value.get<int64_t>();
}

void ConfigFields::fail(const std::string& found, const std::string& expected) const {
  throw Error(fmt::format("{} in {}", found, what_), expected,
              "correct the file or fetch it again");
}

const json& ConfigFields::get(const char* name) const {
  if (!has(name)) fail(fmt::format("no field \"{}\"", name), fmt::format("\"{}\"", name));
  return config_[name];
}

std::string stored_dtype(const ConfigFields& fields) {
  for (const char* name : {"dtype", "torch_dtype"}) {
    if (!fields.has(name)) continue;
    const std::string dtype = fields.text(name);
    if (dtype == "float16" || dtype == "bfloat16" || dtype == "float32") return dtype;
    fields.fail(fmt::format("{} \"{}\"", name, dtype), "float16, bfloat16 or float32");
  }
  return "float32";
}

void check_widths(const ConfigFields& fields, const ModelConfig& c) {
  // Below these, parameters and bytes of any scheme fit 63 bits.
  constexpr int64_t kWidest = 1 << 22, kDeepest = 4096;
  const int64_t widest = std::max({c.hidden, c.intermediate, c.vocab, c.heads * c.head_dim});
  if (c.layers > kDeepest || widest > kWidest) {
    fields.fail(fmt::format("{} layers and a largest width of {}", c.layers, widest),
                fmt::format("at most {} and {}", kDeepest, kWidest));
  }
}

}  // namespace octet
