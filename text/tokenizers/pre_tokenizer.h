// Splitting of text into words: the pre_tokenizer of a tokenizer.json.
#pragma once
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizers/regex.h"

namespace octet {

/// What becomes of a delimiter; names and meaning as in Hugging Face tokenizers.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// The chain Split | Digits ... ByteLevel. The byte mapping of ByteLevel itself is left to the
/// model, which takes raw bytes, so ByteLevel must be present and last.
class PreTokenizer {
 public:
  /// `spec` is the "pre_tokenizer" of a tokenizer.json. Error for other steps than the above.
  PreTokenizer(const nlohmann::json& spec, const std::string& what);

  /// Words of a call; views point into the text or into `storage`.
  struct Words {
    std::vector<std::string_view> views;
    std::vector<std::string_view> next;     ///< scratch
    std::vector<TextRange> matches, parts;  ///< scratch
    std::deque<std::string> storage;
  };
  /// Replaces `words.views` by the words of `text` (well-formed UTF-8), none empty.
  void split(std::string_view text, Words& words) const;

 private:
  struct Step {
    std::optional<Regex> pattern;  ///< none: no splitting
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false;
    bool prefix_space = false;
  };
  void add_step(const nlohmann::json& spec, const std::string& what);
  static Step split_step(const nlohmann::json& spec, const std::string& what);
  static Step digits_step(const nlohmann::json& spec, const std::string& what);
  static Step byte_level_step(const nlohmann::json& spec, const std::string& what);
  static void apply(const Step& step, std::string_view piece, Words& words);

  std::vector<Step> steps_;
  bool complete_ = false;  ///< ByteLevel was seen
};

}  // namespace octet
