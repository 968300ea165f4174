// Tokenizers of Marian translation models: sentencepiece for each language, ids from vocab.json.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizers/added_tokens.h"

namespace octet {

/// Sentences <-> token ids, as transformers' MarianTokenizer has them. Thread safe after
/// construction.
class MarianTokenizer {
 public:
  /// Reads source.spm, target.spm and vocab.json of a model's directory, and the names of the
  /// special tokens from tokenizer_config.json if that exists. Error for what is damaged, and for
  /// an id that is not below `vocab`, the rows of the model's embedding.
  MarianTokenizer(const std::filesystem::path& directory, int64_t vocab);
  ~MarianTokenizer();

  /// Ids of a sentence of at most 1 MiB, EOS behind them. A leading language token (">>de<<") is
  /// kept as a token of its own; pieces that vocab.json lacks are <unk>.
  std::vector<int64_t> encode(std::string_view sentence) const;
  std::vector<int64_t> encode_target(std::string_view sentence) const;
  /// Text of target ids, special tokens left out. Error for ids outside the vocabulary.
  std::string decode(std::span<const int64_t> ids) const;

  int64_t eos() const { return eos_; }
  int64_t pad() const { return pad_; }
  int64_t unk() const { return unk_; }

 private:
  class Pieces;  // one language
  std::vector<int64_t> encode_with(const Pieces& pieces, std::string_view sentence) const;
  void append(const Pieces& pieces, std::string_view text, std::vector<int64_t>& ids) const;
  void read_vocabulary(const std::filesystem::path& path, int64_t rows);
  void read_special(const std::filesystem::path& directory);

  std::unique_ptr<Pieces> source_, target_;
  std::unordered_map<std::string, int64_t> ids_;
  std::vector<std::optional<std::string>> pieces_;  ///< by id; none in gaps
  std::unique_ptr<AddedTokenFinder> special_;
  int64_t eos_ = 0, pad_ = 0, unk_ = 0;
};

}  // namespace octet
