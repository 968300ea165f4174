#include "text/tokenizers/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "text/tokenizers/json_fields.h"
#include "text/tokenizers/regex.h"
#include "text/tokenizers/utf8.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr size_t kMostAdded = 1 << 18;
constexpr size_t kLongestAdded = 4096;  // bytes

size_t first_character(std::string_view text) {
  size_t end = 0;
  next_code_point(text, end);
  return end;
}

// One character, against \w of Rust's regex crate: Alphabetic, marks, Nd, Pc and the two joiners.
bool is_word(std::string_view character) {
  static const Regex word(
      R"([\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}])",
      "the word characters");
  std::vector<TextRange> found;
  word.find_all(character, found);
  return !found.empty();
}

bool is_space(std::string_view character) {
  size_t at = 0;
  return is_white_space(next_code_point(character, at));
}

size_t trailing_space(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const size_t begin = last_character(text.substr(0, end));
    if (!is_space(text.substr(begin, end - begin))) break;
    end = begin;
  }
  return end;
}

size_t leading_space(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && is_space(text.substr(end))) next_code_point(text, end);
  return end;
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  const std::string_view before = text.substr(0, begin), after = text.substr(end);
  return (!before.empty() && is_word(before.substr(last_character(before)))) ||
         (!after.empty() && is_word(after.substr(0, first_character(after))));
}

AddedToken read_token(const json& item, int64_t limit, const std::string& what) {
  AddedToken token;
  token.id = json_fields::id(json_fields::need(item, "id", what), limit, what);
  token.content = json_fields::text(item, "content", what);
  if (token.content.empty() || token.content.size() > kLongestAdded) {
    json_fields::refuse(fmt::format("an added token of {} bytes", token.content.size()),
                        fmt::format("1 to {} bytes", kLongestAdded), what);
  }
  token.single_word = json_fields::flag(item, "single_word", false, what);
  token.lstrip = json_fields::flag(item, "lstrip", false, what);
  token.rstrip = json_fields::flag(item, "rstrip", false, what);
  token.special = json_fields::flag(item, "special", false, what);
  token.normalized = json_fields::flag(item, "normalized", !token.special, what);
  return token;
}

}  // namespace

std::vector<AddedToken> read_added_tokens(const json& list, int64_t limit,
                                          const std::string& what) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array() || list.size() > kMostAdded) {
    json_fields::refuse("unusable \"added_tokens\"",
                        fmt::format("an array of at most {}", kMostAdded), what);
  }
  std::set<int32_t> ids;
  std::set<std::string> contents;
  for (const json& item : list) {
    tokens.push_back(read_token(item, limit, what));
    if (!ids.insert(tokens.back().id).second || !contents.insert(tokens.back().content).second) {
      json_fields::refuse(
          fmt::format("added token {} \"{}\" twice", tokens.back().id, tokens.back().content),
          "every id and content once", what);
    }
  }
  return tokens;
}

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), ends_(1, -1) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    first_bytes_.set(static_cast<uint8_t>(tokens_[i].content[0]));
    uint32_t node = 0;
    for (const char c : tokens_[i].content) {
      const auto [edge, added] = edges_.try_emplace(uint64_t{node} << 8 | static_cast<uint8_t>(c),
                                                    static_cast<uint32_t>(ends_.size()));
      if (added) ends_.push_back(-1);
      node = edge->second;
    }
    if (ends_[node] < 0) ends_[node] = static_cast<int32_t>(i);
  }
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text, size_t begin) const {
  const AddedToken* longest = nullptr;
  uint32_t node = 0;
  for (size_t i = begin; i < text.size(); ++i) {
    const auto edge = edges_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[i]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (ends_[node] >= 0) longest = &tokens_[static_cast<size_t>(ends_[node])];
  }
  return longest;
}

void AddedTokenFinder::split(std::string_view text, std::vector<TextPiece>& out) const {
  size_t done = 0;
  for (size_t i = 0; i < text.size();) {
    const AddedToken* token =
        first_bytes_[static_cast<uint8_t>(text[i])] ? longest_at(text, i) : nullptr;
    if (token == nullptr) {
      ++i;
      continue;
    }
    size_t begin = i, end = i + token->content.size();
    i = end;
    if (token->single_word && touches_word(text, begin, end)) continue;
    if (token->lstrip) begin = std::max(trailing_space(text.substr(0, begin)), done);
    if (token->rstrip) end += leading_space(text.substr(end));
    if (done < begin) out.push_back({text.substr(done, begin - done)});
    out.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  if (done < text.size()) out.push_back({text.substr(done)});
}

}  // namespace octet
