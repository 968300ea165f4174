#include "text/tokenizers/gguf_tokenizer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "text/tokenizers/utf8.h"

namespace octet {
namespace {

using nlohmann::json;

/// Values of tokenizer.ggml.token_type (llama.h, llama_token_type).
enum class TokenType : int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5
};

/// What a name in tokenizer.ggml.pre stands for (llama.cpp, src/llama-vocab.cpp).
struct SplittingRule {
  const char* name;
  const char* pre_tokenizer;  ///< as in the model's published tokenizer.json
  const char* normalizer;
  bool ignore_merges;
  bool add_bos;  ///< where the file does not say
};

constexpr const char* kSmolLm =
    R"({"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
        {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]})";
// Both differ only in how many digits make a word.
constexpr const char* kLlama3 =
    R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
        "behavior":"Isolated","invert":false},
        {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})";
constexpr const char* kQwen2 =
    R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
        "behavior":"Isolated","invert":false},
        {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})";

constexpr const char* kNfc = R"({"type":"NFC"})";

constexpr SplittingRule kRules[] = {
    {"smollm", kSmolLm, "null", false, false},
    {"llama-bpe", kLlama3, "null", true, true},
    {"qwen2", kQwen2, kNfc, false, false},
    {"deepseek-r1-qwen", kQwen2, kNfc, false, true},
};

[[noreturn]] void refuse(const GgufFile& file, const std::string& found,
                         const std::string& expected) {
  throw Error(fmt::format("{} in {}", found, file.path().string()), expected,
              "convert the model again, or start from its Hugging Face directory");
}

const SplittingRule& rule_of(const GgufFile& file) {
  const std::string& model = file.text("tokenizer.ggml.model");
  if (model != "gpt2")
    refuse(file, fmt::format("tokenizer.ggml.model \"{}\"", model.substr(0, 40)), "gpt2");
  const std::string& name = file.text("tokenizer.ggml.pre");
  std::string known;
  for (const SplittingRule& rule : kRules) {
    if (name == rule.name) return rule;
    known += (known.empty() ? "" : ", ") + std::string(rule.name);
  }
  refuse(file, fmt::format("tokenizer.ggml.pre \"{}\"", name.substr(0, 40)), "one of: " + known);
}

const std::vector<std::string>& tokens_of(const GgufFile& file) {
  const auto& tokens = file.texts("tokenizer.ggml.tokens");
  std::set<std::string_view> seen;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!valid_utf8(tokens[i])) refuse(file, fmt::format("token {} that is not UTF-8", i), "UTF-8");
    if (!seen.insert(tokens[i]).second)
      refuse(file, fmt::format("token {} a second time", i), "every token once");
  }
  return tokens;
}

std::vector<TokenType> types_of(const GgufFile& file, size_t count) {
  const auto& values = file.integers("tokenizer.ggml.token_type");
  if (values.size() != count)
    refuse(file, fmt::format("{} token types", values.size()),
           fmt::format("{}, one a token", count));
  std::vector<TokenType> types;
  for (const int64_t value : values) {
    if (value < 1 || value > 5) refuse(file, fmt::format("token type {}", value), "1 to 5");
    types.push_back(static_cast<TokenType>(value));
  }
  return types;
}

// Token named by an id key; none where the key is absent.
const std::string* named_token(const GgufFile& file, const std::string& key) {
  if (!file.has(key)) return nullptr;
  const auto& tokens = file.texts("tokenizer.ggml.tokens");
  const int64_t id = file.integer(key);
  if (id < 0 || static_cast<size_t>(id) >= tokens.size()) {
    refuse(file, fmt::format("{} = {}", key, id), fmt::format("an id below {}", tokens.size()));
  }
  return &tokens[static_cast<size_t>(id)];
}

bool flag(const GgufFile& file, const std::string& key, bool fallback) {
  if (!file.has(key)) return fallback;
  const bool* value = std::get_if<bool>(&file.metadata().at(key));
  if (value == nullptr) refuse(file, fmt::format("{} that is no truth value", key), "a boolean");
  return *value;
}

json added_token(const std::string& content, bool special) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},    {"normalized", false},  {"special", special}};
}

bool is_special(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUnknown;
}

/// Calls take(id, added token) for every control and user-defined token.
template <typename Take>
void each_added(const GgufFile& file, Take take) {
  const auto& tokens = tokens_of(file);
  const auto types = types_of(file, tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (is_special(types[id]) || types[id] == TokenType::kUserDefined) {
      take(id, added_token(tokens[id], is_special(types[id])));
    }
  }
}

json merges_of(const GgufFile& file) {
  json merges = json::array();
  for (const std::string& merge : file.texts("tokenizer.ggml.merges")) {
    const size_t space = merge.find(' ');
    if (space == std::string::npos || !valid_utf8(merge))
      refuse(file, "a merge without two parts", "\"left right\"");
    merges.push_back({merge.substr(0, space), merge.substr(space + 1)});
  }
  return merges;
}

json post_processor(const GgufFile& file, bool add_bos) {
  json single = json::array(), pair = json::array(), special = json::object();
  const auto token = [&](const char* wanted, bool fallback, const char* key, int type_id) {
    if (!flag(file, wanted, fallback)) return;
    const std::string* content = named_token(file, key);
    if (content == nullptr) refuse(file, fmt::format("{} without {}", wanted, key), "both");
    const json piece = {{"SpecialToken", {{"id", *content}, {"type_id", type_id}}}};
    if (type_id == 0) single.push_back(piece);
    pair.push_back(piece);
    special[*content] = {{"id", *content}, {"ids", {file.integer(key)}}, {"tokens", {*content}}};
  };
  const auto sequence = [](const char* id, int type_id) {
    return json{{"Sequence", {{"id", id}, {"type_id", type_id}}}};
  };
  for (int type_id = 0; type_id < 2; ++type_id) {
    token("tokenizer.ggml.add_bos_token", add_bos, "tokenizer.ggml.bos_token_id", type_id);
    if (type_id == 0) single.push_back(sequence("A", 0));
    pair.push_back(sequence(type_id == 0 ? "A" : "B", type_id));
    token("tokenizer.ggml.add_eos_token", false, "tokenizer.ggml.eos_token_id", type_id);
  }
  if (special.empty()) return nullptr;
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", special}};
}

}  // namespace

json tokenizer_json(const GgufFile& file) {
  const SplittingRule& rule = rule_of(file);
  const auto& tokens = tokens_of(file);
  json vocabulary = json::object(), added = json::array();
  for (size_t id = 0; id < tokens.size(); ++id) vocabulary[tokens[id]] = id;
  each_added(file, [&](size_t id, json token) {
    token["id"] = id;
    added.push_back(std::move(token));
  });
  const json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  const json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", rule.ignore_merges},
                      {"vocab", std::move(vocabulary)},
                      {"merges", merges_of(file)}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", json::parse(rule.normalizer)},
          {"pre_tokenizer", json::parse(rule.pre_tokenizer)},
          {"post_processor", post_processor(file, rule.add_bos)},
          {"decoder", byte_level},
          {"model", model}};
}

json tokenizer_config_json(const GgufFile& file) {
  json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false}};
  const auto name = [&](const char* field, const char* key) {
    if (const std::string* token = named_token(file, std::string("tokenizer.ggml.") + key))
      config[field] = *token;
  };
  name("bos_token", "bos_token_id");
  name("eos_token", "eos_token_id");
  name("pad_token", "padding_token_id");
  name("unk_token", "unknown_token_id");
  if (file.has("tokenizer.chat_template")) {
    const std::string& chat = file.text("tokenizer.chat_template");
    if (!valid_utf8(chat)) refuse(file, "a chat template that is not UTF-8", "UTF-8");
    config["chat_template"] = chat;
  }
  if (file.has("general.architecture")) {
    const std::string context = file.text("general.architecture") + ".context_length";
    if (file.has(context)) config["model_max_length"] = file.integer(context);
  }
  json added = json::object();
  each_added(file, [&](size_t id, json token) { added[std::to_string(id)] = std::move(token); });
  config["added_tokens_decoder"] = std::move(added);
  return config;
}

}  // namespace octet
