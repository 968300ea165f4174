// Byte-level BPE tokenizers as Hugging Face publishes them (tokenizer.json), id for id.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizers/added_tokens.h"
#include "text/tokenizers/bpe.h"
#include "text/tokenizers/normalizer.h"
#include "text/tokenizers/pre_tokenizer.h"

namespace octet {

/// Text <-> token ids. Thread safe after construction. The reference is the Python package
/// tokenizers 0.23. Supported: model BPE without byte fallback; pre_tokenizer Split, Digits and
/// ByteLevel; normalizer NFC or none; post_processor ByteLevel and TemplateProcessing; decoder
/// ByteLevel; added tokens. Everything else in the file is an Error
/// that names it, never ignored.
class Tokenizer {
 public:
  /// Reads tokenizer.json, and the names of BOS and EOS from tokenizer_config.json beside it if
  /// that exists.
  static std::unique_ptr<Tokenizer> from_json_file(const std::filesystem::path& path);
  /// `text` is the content of a tokenizer.json, `what` names it in errors, `config` is the content
  /// of a tokenizer_config.json (empty: BOS is the leading token of the template, EOS unknown).
  static std::unique_ptr<Tokenizer> from_json_text(std::string_view text, const std::string& what,
                                                   std::string_view config = {});

  /// Ids of `text`, at most 1 GiB. Ill-formed UTF-8 counts as U+FFFD, one for each maximal
  /// ill-formed subpart (Rust's from_utf8_lossy). Special tokens written in the text are
  /// recognised. With `add_special` the template of the post-processor is put around the ids.
  std::vector<int32_t> encode(std::string_view text, bool add_special = true) const;
  /// Text of `ids`; byte sequences that are not UTF-8 become U+FFFD. Error for ids outside the
  /// vocabulary. With `skip_special`, special added tokens are left out.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;

  /// Largest id plus one: the rows an embedding needs at least.
  int64_t vocab_size() const { return static_cast<int64_t>(bytes_.size()); }
  std::optional<int32_t> bos() const { return bos_; }
  std::optional<int32_t> eos() const { return eos_; }
  /// True when encode(text, true) begins with a token of the template.
  bool adds_bos() const { return !prefix_.empty(); }
  /// Id of a token by its content; tokens of the model are written in the byte alphabet ("Ġthe").
  std::optional<int32_t> id(std::string_view token) const;

 private:
  Tokenizer(const nlohmann::json& spec, const std::string& what);
  void add_tokens(const std::vector<AddedToken>& tokens, const std::string& what);
  void read_post_processor(const nlohmann::json& spec, const std::string& what);
  void read_template(const nlohmann::json& spec, const std::string& what);
  void append_template_token(const nlohmann::json& piece, const nlohmann::json& spec,
                             std::vector<int32_t>& out, const std::string& what) const;
  void read_config(const nlohmann::json& config, const std::string& what);
  void encode_plain(std::string_view text, PreTokenizer::Words& words,
                    std::vector<int32_t>& ids) const;

  Bpe model_;
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<AddedTokenFinder> added_, added_normalized_;
  std::unordered_map<std::string, int32_t> added_ids_;
  std::vector<std::optional<std::string>> bytes_;  ///< by id; none in gaps
  std::vector<bool> special_;                      ///< by id
  std::vector<int32_t> prefix_, suffix_;           ///< of the template
  std::optional<int32_t> bos_, eos_;
};

}  // namespace octet
