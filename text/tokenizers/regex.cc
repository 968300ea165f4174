#include "text/tokenizers/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include "core/error.h"
#include "text/tokenizers/utf8.h"

namespace octet {
namespace {

struct Freed {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};
template <typename T>
using Owned = std::unique_ptr<T, Freed>;

// Grows on demand: long runs of a backtracking pattern need more than PCRE2's 32 KiB.
constexpr size_t kJitStack = size_t{32} << 10, kMostJitStack = size_t{64} << 20;

// Per thread and shared by all patterns: only one match runs at a time in a thread.
pcre2_match_context* match_context() {
  struct Context {
    Owned<pcre2_jit_stack> stack{pcre2_jit_stack_create(kJitStack, kMostJitStack, nullptr)};
    Owned<pcre2_match_context> context{pcre2_match_context_create(nullptr)};
    Context() { pcre2_jit_stack_assign(context.get(), nullptr, stack.get()); }
  };
  thread_local Context context;
  return context.context.get();
}

std::string message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

struct Regex::Code {
  Owned<pcre2_code> code;
  std::string pattern, what;
};

Regex::Regex(std::string_view pattern, const std::string& what) : code_(std::make_unique<Code>()) {
  const std::string portable = portable_pattern(pattern, what);
  int error = 0;
  size_t offset = 0;
  // ^ and $ match at every line in Oniguruma's Ruby syntax.
  code_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(portable.data()), portable.size(),
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                  &error, &offset, nullptr));
  code_->pattern = pattern.substr(0, 200);
  code_->what = what;
  if (!code_->code) {
    throw Error(fmt::format("the pattern \"{}\" of {} does not compile ({})", code_->pattern, what,
                            message(error)),
                "a regular expression", "correct the pattern");
  }
  pcre2_jit_compile(code_->code.get(),
                    PCRE2_JIT_COMPLETE);  // without JIT the interpreter does the same
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;

void Regex::find_all(std::string_view text, std::vector<TextRange>& matches) const {
  const Owned<pcre2_match_data> data(pcre2_match_data_create(1, nullptr));
  const size_t* found = pcre2_get_ovector_pointer(data.get());
  size_t from = 0, last_end = text.size() + 1;
  while (from <= text.size()) {
    const int status =
        pcre2_match(code_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                    PCRE2_NO_UTF_CHECK, data.get(), match_context());
    if (status == PCRE2_ERROR_NOMATCH) return;
    if (status < 0) {
      throw Error(fmt::format("the pattern \"{}\" of {} gave up ({})", code_->pattern, code_->what,
                              message(status)),
                  "a pattern that matches in bounded time",
                  "simplify the pattern or shorten the text");
    }
    if (found[0] == found[1] && found[1] == last_end) {
      if (from >= text.size()) return;
      next_code_point(text, from);
      continue;
    }
    matches.push_back({found[0], found[1]});
    from = last_end = found[1];
  }
}

}  // namespace octet
