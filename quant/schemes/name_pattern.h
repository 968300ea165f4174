// Regular expressions over module names, as compressed-tensors and vLLM match them.
#pragma once
#include <memory>
#include <string>

namespace octet {

/// Python's re.match: from the start of the name, not necessarily to its end.
class NamePattern {
 public:
  /// UsageError naming `what` when `pattern` does not compile or is longer than 512 bytes.
  NamePattern(const std::string& pattern, const std::string& what);
  ~NamePattern();
  NamePattern(NamePattern&&) noexcept;
  const std::string& text() const { return text_; }
  /// Error when the pattern backtracks beyond PCRE2's limit.
  bool matches(const std::string& name) const;

 private:
  struct Code;
  std::string text_;
  std::unique_ptr<Code> code_;
};

}  // namespace octet
