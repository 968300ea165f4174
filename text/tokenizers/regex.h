// Regular expressions as Hugging Face tokenizers reads them (Oniguruma, Unicode 16), on PCRE2.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// Half-open byte range of a text.
struct TextRange {
  size_t begin, end;
};

/// `pattern` with \s, \d, \p{..} spelled out so that PCRE2 10.40+ (Unicode 14 or later) matches
/// what Oniguruma 6.9.10 (Unicode 16) matches. Error for constructs whose meaning differs between
/// the two: escapes other than s S d D p P r n t f x and punctuation, properties other than general
/// categories, negated escapes and nested sets inside a class. `what` names the source in errors.
std::string portable_pattern(std::string_view pattern, const std::string& what);

/// A literal as a pattern.
std::string quoted_pattern(std::string_view literal);

/// A compiled pattern. Thread safe: matching keeps its state in the call.
class Regex {
 public:
  /// `pattern` in the syntax of Oniguruma; passes through portable_pattern. Error if it does not
  /// compile.
  Regex(std::string_view pattern, const std::string& what);
  ~Regex();
  Regex(Regex&&) noexcept;

  /// All matches in `text` (well-formed UTF-8), left to right, not overlapping. An empty match
  /// right behind the previous match is skipped. Error when a match needs more than PCRE2's match
  /// limit.
  void find_all(std::string_view text, std::vector<TextRange>& matches) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace octet
