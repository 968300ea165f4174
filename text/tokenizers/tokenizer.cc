#include "text/tokenizers/tokenizer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/json.h"
#include "text/tokenizers/byte_alphabet.h"
#include "text/tokenizers/json_fields.h"
#include "text/tokenizers/utf8.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr uint64_t kMostJson = uint64_t{1} << 28;  // bytes; the largest published are below 2^25
constexpr size_t kMostText = size_t{1} << 30;      // bytes; symbol positions are 32 bits wide
constexpr int64_t kMostGaps = 65536;               // ids beyond the count of tokens

json field_or_null(const json& object, const char* key) {
  const auto field = object.find(key);
  return field == object.end() ? json() : *field;
}

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::from_json_file(const std::filesystem::path& path) {
  const std::filesystem::path config = path.parent_path() / "tokenizer_config.json";
  return from_json_text(
      read_file(path, kMostJson), path.string(),
      std::filesystem::exists(config) ? read_file(config, kMostJson) : std::string());
}

std::unique_ptr<Tokenizer> Tokenizer::from_json_text(std::string_view text, const std::string& what,
                                                     std::string_view config) {
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(parse_json(text, what), what));
  if (!config.empty()) {
    const std::string name = "the tokenizer_config.json of " + what;
    tokenizer->read_config(parse_json(config, name), name);
  }
  return tokenizer;
}

Tokenizer::Tokenizer(const json& spec, const std::string& what)
    : model_(json_fields::need(spec, "model", what), what),
      normalizer_(field_or_null(spec, "normalizer"), what),
      pre_tokenizer_(json_fields::need(spec, "pre_tokenizer", what), what) {
  json_fields::need_unset(spec, {"truncation", "padding"}, what);
  const json& decoder = json_fields::need(spec, "decoder", what);
  if (!decoder.is_object() || field_or_null(decoder, "type") != "ByteLevel") {
    json_fields::refuse("decoder " + decoder.dump().substr(0, 80), "decoder ByteLevel", what);
  }
  const json added = field_or_null(spec, "added_tokens");
  const auto limit = static_cast<int64_t>(model_.vocabulary().size() + added.size()) + kMostGaps;
  add_tokens(read_added_tokens(added, limit, what), what);
  read_post_processor(field_or_null(spec, "post_processor"), what);
}

void Tokenizer::add_tokens(const std::vector<AddedToken>& tokens, const std::string& what) {
  const auto place = [&](const std::string& token, int32_t id) {
    const auto index = static_cast<size_t>(id);
    if (bytes_.size() <= index) bytes_.resize(index + 1);
    if (bytes_[index]) return false;
    auto bytes = from_byte_characters(token);
    bytes_[index] = bytes ? std::move(*bytes) : token;
    return true;
  };
  for (const auto& [token, id] : model_.vocabulary()) place(token, id);
  std::vector<AddedToken> plain, normalized;
  for (AddedToken token : tokens) {
    added_ids_.emplace(token.content, token.id);
    const auto known = model_.vocabulary().find(token.content);
    std::string storage;  // in normalized text, a token is looked for in its normalized form
    if (token.normalized)
      token.content = std::string(normalizer_.normalize(token.content, storage));
    const bool right = known == model_.vocabulary().end() ? place(token.content, token.id)
                                                          : known->second == token.id;
    if (!right) {
      json_fields::refuse(fmt::format("added token \"{}\" with the id {} of another token",
                                      token.content, token.id),
                          "the token's id in the vocabulary, or a free one", what);
    }
    (token.normalized ? normalized : plain).push_back(std::move(token));
  }
  special_.resize(bytes_.size());
  for (const AddedToken& token : tokens) special_[static_cast<size_t>(token.id)] = token.special;
  added_ = std::make_unique<AddedTokenFinder>(std::move(plain));
  added_normalized_ = std::make_unique<AddedTokenFinder>(std::move(normalized));
}

void Tokenizer::read_post_processor(const json& spec, const std::string& what) {
  if (spec.is_null()) return;
  const std::string& type = json_fields::text(spec, "type", what);
  if (type == "Sequence") {
    const json& list = json_fields::need(spec, "processors", what);
    if (!list.is_array()) json_fields::refuse("\"processors\" that is no array", "an array", what);
    for (const json& processor : list) read_post_processor(processor, what);
  } else if (type == "TemplateProcessing") {
    read_template(spec, what);
  } else if (type != "ByteLevel") {  // which moves offsets only
    json_fields::refuse(fmt::format("post_processor \"{}\"", type.substr(0, 40)),
                        "Sequence, TemplateProcessing or ByteLevel", what);
  }
}

void Tokenizer::read_template(const json& spec, const std::string& what) {
  const json& single = json_fields::need(spec, "single", what);
  if (!single.is_array()) json_fields::refuse("\"single\" that is no array", "an array", what);
  std::vector<int32_t> before, after;
  bool inside = false;
  for (const json& piece : single) {
    if (piece.is_object() && piece.contains("Sequence")) {
      if (inside || json_fields::text(piece["Sequence"], "id", what) != "A") {
        json_fields::refuse("a template with other sequences", "sequence A once in \"single\"",
                            what);
      }
      inside = true;
    } else {
      append_template_token(piece, spec, inside ? after : before, what);
    }
  }
  if (!inside)
    json_fields::refuse("a template without a sequence", "sequence A once in \"single\"", what);
  prefix_.insert(prefix_.begin(), before.begin(), before.end());
  suffix_.insert(suffix_.end(), after.begin(), after.end());
  if (!prefix_.empty()) bos_ = prefix_.front();
}

void Tokenizer::append_template_token(const json& piece, const json& spec,
                                      std::vector<int32_t>& out, const std::string& what) const {
  const std::string& name =
      json_fields::text(json_fields::need(piece, "SpecialToken", what), "id", what);
  const json& token =
      json_fields::need(json_fields::need(spec, "special_tokens", what), name.c_str(), what);
  const json& ids = json_fields::need(token, "ids", what);
  if (!ids.is_array()) json_fields::refuse("template \"ids\" that is no array", "an array", what);
  for (const json& id : ids) out.push_back(json_fields::id(id, vocab_size(), what));
}

void Tokenizer::read_config(const json& config, const std::string& what) {
  const auto named = [&](const char* key, std::optional<int32_t>& out) {
    json token = field_or_null(config, key);
    if (token.is_object()) token = field_or_null(token, "content");
    if (token.is_null()) return;
    out = token.is_string() ? id(token.get_ref<const std::string&>()) : std::nullopt;
    if (!out)
      json_fields::refuse(fmt::format("\"{}\" {}", key, token.dump().substr(0, 80)),
                          "a token of the vocabulary", what);
  };
  if (!config.is_object()) json_fields::refuse("no object", "an object", what);
  named("bos_token", bos_);
  named("eos_token", eos_);
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special) const {
  if (text.size() > kMostText) {
    throw Error(fmt::format("a text of {} bytes", text.size()),
                fmt::format("at most {} bytes at a time", kMostText), "encode it in pieces");
  }
  std::string repaired;
  if (!valid_utf8(text)) text = repaired = lossy_utf8(text);
  std::vector<int32_t> ids;
  if (add_special) ids = prefix_;
  PreTokenizer::Words words;
  std::vector<TextPiece> pieces, inner;
  std::string normalized;
  added_->split(text, pieces);
  for (const TextPiece& piece : pieces) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
      continue;
    }
    inner.clear();
    added_normalized_->split(normalizer_.normalize(piece.text, normalized), inner);
    for (const TextPiece& part : inner) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        encode_plain(part.text, words, ids);
      }
    }
  }
  if (add_special) ids.insert(ids.end(), suffix_.begin(), suffix_.end());
  return ids;
}

void Tokenizer::encode_plain(std::string_view text, PreTokenizer::Words& words,
                             std::vector<int32_t>& ids) const {
  pre_tokenizer_.split(text, words);
  for (const std::string_view word : words.views) model_.encode_word(word, ids);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string out;
  for (const int32_t id : ids) {
    const auto index = static_cast<size_t>(id);
    if (id < 0 || index >= bytes_.size() || !bytes_[index]) {
      throw Error(fmt::format("token id {}", id),
                  fmt::format("an id of the vocabulary, below {}", vocab_size()),
                  "use the tokenizer that belongs to the model");
    }
    if (!skip_special || !special_[index]) out += *bytes_[index];
  }
  return valid_utf8(out) ? out : lossy_utf8(out);
}

std::optional<int32_t> Tokenizer::id(std::string_view token) const {
  const std::string key(token);
  if (const auto added = added_ids_.find(key); added != added_ids_.end()) return added->second;
  if (const auto known = model_.vocabulary().find(key); known != model_.vocabulary().end())
    return known->second;
  return std::nullopt;
}

}  // namespace octet
