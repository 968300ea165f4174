// The BPE model: vocabulary, merges and the merging of one word.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace octet {

class WordCache;

/// Byte-level BPE with the semantics of Hugging Face tokenizers' models/bpe. Thread safe after
/// construction.
class Bpe {
 public:
  /// `model` is the "model" object of a tokenizer.json, `what` names it in errors. Error for any
  /// type but BPE, dropout, subword prefixes or suffixes, byte fallback, duplicate or out-of-range
  /// ids, and merges whose parts or result the vocabulary lacks.
  Bpe(const nlohmann::json& model, const std::string& what);
  ~Bpe();
  Bpe(const Bpe&) = delete;
  Bpe& operator=(const Bpe&) = delete;

  /// Appends the ids of one word (raw bytes, not empty). Bytes that are not in the vocabulary
  /// become the unknown token, or are dropped if the model has none. O(n log n) in the word's
  /// bytes.
  void encode_word(std::string_view word, std::vector<int32_t>& ids) const;

  /// Tokens by content, in the byte alphabet.
  const std::unordered_map<std::string, int32_t>& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    int32_t rank, id;
  };
  void read_vocabulary(const nlohmann::json& vocabulary, const std::string& what);
  void read_merges(const nlohmann::json& merges, const std::string& what);
  int32_t known(const std::string& token, const std::string& what) const;
  std::vector<int32_t> first_symbols(std::string_view word) const;
  void merge(std::string_view word, std::vector<int32_t>& ids) const;

  std::unordered_map<std::string, int32_t> vocabulary_;
  std::unordered_map<uint64_t, Merge> merges_;  ///< by left id << 32 | right id
  std::array<int32_t, 256> bytes_{};            ///< id of a byte alone, -1 if absent
  std::optional<int32_t> unknown_;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
  std::unique_ptr<WordCache> cache_;
};

}  // namespace octet
