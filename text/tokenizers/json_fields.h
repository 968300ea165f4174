// Reading of tokenizer.json objects with errors that name the field.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace octet::json_fields {

/// [[noreturn]] Error "`found` in `what`" with the general remedy for tokenizers.
[[noreturn]] void refuse(const std::string& found, const std::string& expected,
                         const std::string& what);

/// Field that must exist; Error unless `object` is an object that has it.
const nlohmann::json& need(const nlohmann::json& object, const char* key, const std::string& what);
/// Typed field that must exist.
const std::string& text(const nlohmann::json& object, const char* key, const std::string& what);
/// Boolean field, or `fallback` where it is absent or null.
bool flag(const nlohmann::json& object, const char* key, bool fallback, const std::string& what);
/// Non-negative integer below `limit`.
int32_t id(const nlohmann::json& value, int64_t limit, const std::string& what);
/// Error unless every listed field is absent, null, false, 0 or empty.
void need_unset(const nlohmann::json& object, std::initializer_list<const char*> keys,
                const std::string& what);

}  // namespace octet::json_fields
