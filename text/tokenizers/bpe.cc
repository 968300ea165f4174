#include "text/tokenizers/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <queue>
#include <set>

#include "text/tokenizers/byte_alphabet.h"
#include "text/tokenizers/json_fields.h"
#include "text/tokenizers/word_cache.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr size_t kMostTokens = size_t{1} << 22;
// Ids may leave gaps (padded vocabularies), but an id must not make the tables far larger than the
// file.
constexpr int64_t kMostGaps = 65536;

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// A possible merge of symbol `position` with its right neighbour.
struct Candidate {
  int32_t rank, position, id;
  bool operator<(const Candidate& other) const {  // std::priority_queue: best last
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

struct Symbol {
  int32_t id, previous, next;
  bool alive;
};

std::pair<std::string, std::string> merge_parts(const json& merge, const std::string& what) {
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  json_fields::refuse("merge " + merge.dump().substr(0, 80),
                      "\"left right\" or [\"left\", \"right\"]", what);
}

}  // namespace

Bpe::Bpe(const json& model, const std::string& what) : cache_(std::make_unique<WordCache>()) {
  if (model.is_object() && model.contains("type") && model["type"] != "BPE") {
    json_fields::refuse("model type " + model["type"].dump().substr(0, 40), "BPE", what);
  }
  read_vocabulary(json_fields::need(model, "vocab", what), what);
  json_fields::need_unset(
      model, {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}, what);
  fuse_unknown_ = json_fields::flag(model, "fuse_unk", false, what);
  ignore_merges_ = json_fields::flag(model, "ignore_merges", false, what);
  if (model.contains("unk_token") && !model["unk_token"].is_null()) {
    unknown_ = known(json_fields::text(model, "unk_token", what), what);
  }
  read_merges(json_fields::need(model, "merges", what), what);
  for (size_t byte = 0; byte < 256; ++byte) {
    const auto found = vocabulary_.find(byte_characters()[byte]);
    bytes_[byte] = found == vocabulary_.end() ? -1 : found->second;
  }
}

Bpe::~Bpe() = default;

void Bpe::read_vocabulary(const json& vocabulary, const std::string& what) {
  if (!vocabulary.is_object() || vocabulary.empty() || vocabulary.size() > kMostTokens) {
    json_fields::refuse(fmt::format("a vocabulary of {} entries", vocabulary.size()),
                        fmt::format("an object of 1 to {} tokens", kMostTokens), what);
  }
  const int64_t limit = static_cast<int64_t>(vocabulary.size()) + kMostGaps;
  std::vector<bool> taken(static_cast<size_t>(limit));
  vocabulary_.reserve(vocabulary.size());
  for (const auto& [token, value] : vocabulary.items()) {
    const int32_t id = json_fields::id(value, limit, what);
    if (taken[static_cast<size_t>(id)]) {
      json_fields::refuse(fmt::format("token id {} twice", id), "every id once", what);
    }
    taken[static_cast<size_t>(id)] = true;
    vocabulary_.emplace(token, id);
  }
}

int32_t Bpe::known(const std::string& token, const std::string& what) const {
  const auto found = vocabulary_.find(token);
  if (found == vocabulary_.end()) {
    json_fields::refuse(fmt::format("\"{}\", which is not in the vocabulary,", token.substr(0, 80)),
                        "merges and unk_token made of vocabulary tokens", what);
  }
  return found->second;
}

void Bpe::read_merges(const json& merges, const std::string& what) {
  if (!merges.is_array() || merges.size() > kMostTokens) {
    json_fields::refuse(fmt::format("\"merges\" of {} entries", merges.size()),
                        fmt::format("an array of at most {}", kMostTokens), what);
  }
  merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right] = merge_parts(merges[rank], what);
    const uint64_t key = pair_key(known(left, what), known(right, what));
    merges_[key] = {static_cast<int32_t>(rank), known(left + right, what)};
  }
}

void Bpe::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  if (cache_->find(word, ids)) return;
  const size_t before = ids.size();
  const auto whole =
      ignore_merges_ ? vocabulary_.find(to_byte_characters(word)) : vocabulary_.end();
  if (whole != vocabulary_.end()) {
    ids.push_back(whole->second);
  } else {
    merge(word, ids);
  }
  cache_->insert(word, ids.data() + before, ids.data() + ids.size());
}

std::vector<int32_t> Bpe::first_symbols(std::string_view word) const {
  std::vector<int32_t> ids;
  ids.reserve(word.size());
  bool after_unknown = false;
  for (const char c : word) {
    const int32_t id = bytes_[static_cast<uint8_t>(c)];
    if (id >= 0) {
      ids.push_back(id);
    } else if (unknown_ && !(fuse_unknown_ && after_unknown)) {
      ids.push_back(*unknown_);
    }
    after_unknown = id < 0;
  }
  return ids;
}

void Bpe::merge(std::string_view word, std::vector<int32_t>& ids) const {
  const std::vector<int32_t> first = first_symbols(word);
  const auto count = static_cast<int32_t>(first.size());
  std::vector<Symbol> symbols(first.size());
  std::priority_queue<Candidate> queue;
  const auto offer = [&](int32_t position) {
    const Symbol& symbol = symbols[static_cast<size_t>(position)];
    if (symbol.next < 0) return;
    const auto found =
        merges_.find(pair_key(symbol.id, symbols[static_cast<size_t>(symbol.next)].id));
    if (found != merges_.end()) queue.push({found->second.rank, position, found->second.id});
  };
  for (int32_t i = 0; i < count; ++i) {
    symbols[static_cast<size_t>(i)] = {first[static_cast<size_t>(i)], i - 1,
                                       i + 1 < count ? i + 1 : -1, true};
  }
  for (int32_t i = 0; i < count; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[static_cast<size_t>(top.position)];
    if (!left.alive || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    const auto found = merges_.find(pair_key(left.id, right.id));
    if (found == merges_.end() || found->second.id != top.id) continue;  // outdated candidate
    left.id = top.id;
    left.next = right.next;
    right.alive = false;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = top.position;
    if (left.previous >= 0) offer(left.previous);
    offer(top.position);
  }
  for (int32_t i = count > 0 ? 0 : -1; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    ids.push_back(symbols[static_cast<size_t>(i)].id);
  }
}

}  // namespace octet
