// tokenizer.ggml.* keys, well-formed or not, for the tests of GGUF tokenizers.
#pragma once
#include <map>
#include <nlohmann/json.hpp>

#include "tests/core/gguf_builder.h"

namespace octet::testing {

enum GgufKind : uint32_t { kGgufI32 = 5, kGgufBool = 7, kGgufText = 8, kGgufArray = 9 };

inline std::string gguf_texts(const std::vector<std::string>& texts) {
  std::string bytes = raw(uint32_t{kGgufText}) + raw(uint64_t{texts.size()});
  for (const std::string& text : texts) bytes += gguf_text(text);
  return bytes;
}

inline std::string gguf_i32s(const std::vector<int32_t>& values) {
  std::string bytes = raw(uint32_t{kGgufI32}) + raw(uint64_t{values.size()});
  for (const int32_t value : values) bytes += raw(value);
  return bytes;
}

/// Keys by name, each as kind + value; a test changes some before it writes the file.
using GgufKeys = std::map<std::string, std::pair<uint32_t, std::string>>;

/// A tokenizer.json as GGUF keys: added tokens become control or user-defined ones, `bos` (a
/// token's content) is named if not empty.
inline GgufKeys tokenizer_keys(const nlohmann::json& spec, const std::string& pre,
                               const std::string& bos) {
  std::map<int32_t, std::pair<std::string, int32_t>> tokens;  // id -> content, type
  for (const auto& [token, id] : spec["model"]["vocab"].items()) tokens[id] = {token, 1};
  for (const auto& token : spec["added_tokens"])
    tokens[token["id"]] = {token["content"], token["special"] ? 3 : 4};
  std::vector<std::string> contents, merges;
  std::vector<int32_t> types;
  GgufKeys keys;
  for (const auto& [id, token] : tokens) {
    if (token.first == bos) keys["bos_token_id"] = {kGgufI32, raw(id)};
    contents.push_back(token.first);
    types.push_back(token.second);
  }
  for (const auto& merge : spec["model"]["merges"])
    merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  keys["model"] = {kGgufText, gguf_text("gpt2")};
  keys["pre"] = {kGgufText, gguf_text(pre)};
  keys["tokens"] = {kGgufArray, gguf_texts(contents)};
  keys["token_type"] = {kGgufArray, gguf_i32s(types)};
  keys["merges"] = {kGgufArray, gguf_texts(merges)};
  return keys;
}

inline std::string tokenizer_gguf(const GgufKeys& keys) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : keys)
    parts.push_back(gguf_key("tokenizer.ggml." + name, value.first, value.second));
  return gguf_file(parts, {});
}

}  // namespace octet::testing
