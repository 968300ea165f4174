#include "quant/schemes/name_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include "core/error.h"

namespace octet {
namespace {

constexpr size_t kLongestPattern = 512;

std::string message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

PCRE2_SPTR bytes_of(const std::string& text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

struct NamePattern::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

NamePattern::NamePattern(const std::string& pattern, const std::string& what)
    : text_(pattern), code_(std::make_unique<Code>()) {
  int error = 0;
  size_t offset = 0;
  if (pattern.size() <= kLongestPattern) {
    code_->code = pcre2_compile(bytes_of(pattern), pattern.size(),
                                PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  }
  if (code_->code == nullptr) {
    throw UsageError(
        fmt::format("pattern \"{}\" of {}{}", pattern.substr(0, kLongestPattern), what,
                    error == 0 ? "" : fmt::format(" ({} at {})", message(error), offset)),
        fmt::format("a regular expression of at most {} bytes", kLongestPattern),
        "correct the pattern");
  }
}

NamePattern::~NamePattern() = default;
NamePattern::NamePattern(NamePattern&&) noexcept = default;

bool NamePattern::matches(const std::string& name) const {
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const int status =
      pcre2_match(code_->code, bytes_of(name), name.size(), 0, 0, data.get(), nullptr);
  if (status == PCRE2_ERROR_NOMATCH) return false;
  if (status >= 0) return true;
  throw Error(fmt::format("pattern \"{}\" gave up on {} ({})", text_, name, message(status)),
              "a pattern that matches in bounded time", "simplify the pattern");
}

}  // namespace octet
