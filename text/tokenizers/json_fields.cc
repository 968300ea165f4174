#include "text/tokenizers/json_fields.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace octet::json_fields {

using nlohmann::json;

void refuse(const std::string& found, const std::string& expected, const std::string& what) {
  throw Error(fmt::format("{} in {}", found, what), expected,
              "use the tokenizer.json of a byte-level BPE model as it was published");
}

const json& need(const json& object, const char* key, const std::string& what) {
  if (!object.is_object())
    refuse(fmt::format("{} where an object holds \"{}\"", object.type_name(), key), "an object",
           what);
  const auto field = object.find(key);
  if (field == object.end()) refuse(fmt::format("no \"{}\"", key), "that field", what);
  return *field;
}

const std::string& text(const json& object, const char* key, const std::string& what) {
  const json& field = need(object, key, what);
  if (!field.is_string())
    refuse(fmt::format("\"{}\" is a {}", key, field.type_name()), "a string", what);
  return field.get_ref<const std::string&>();
}

bool flag(const json& object, const char* key, bool fallback, const std::string& what) {
  const auto field = object.find(key);
  if (field == object.end() || field->is_null()) return fallback;
  if (!field->is_boolean())
    refuse(fmt::format("\"{}\" is a {}", key, field->type_name()), "true or false", what);
  return field->get<bool>();
}

int32_t id(const json& value, int64_t limit, const std::string& what) {
  if (!value.is_number_integer() || value < 0 || value >= limit) {
    refuse(fmt::format("token id {}", value.dump().substr(0, 40)),
           fmt::format("an integer in [0, {})", limit), what);
  }
  return value.get<int32_t>();
}

void need_unset(const json& object, std::initializer_list<const char*> keys,
                const std::string& what) {
  for (const char* key : keys) {
    const auto field = object.find(key);
    if (field == object.end() || field->is_null()) continue;
    const bool unset =
        (field->is_boolean() && !field->get<bool>()) || (field->is_number() && *field == 0) ||
        ((field->is_string() || field->is_structured()) && (field->empty() || *field == ""));
    if (!unset)
      refuse(fmt::format("\"{}\" set", key), fmt::format("no \"{}\": it is not supported", key),
             what);
  }
}

}  // namespace octet::json_fields
