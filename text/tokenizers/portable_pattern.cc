#include <fmt/format.h>

#include <cctype>

#include "core/error.h"
#include "text/tokenizers/regex.h"
#include "text/tokenizers/unicode_additions.h"

namespace octet {
namespace {

constexpr const char* kSpace = "\\p{Z}\\t-\\r\\x{85}";
constexpr const char* kDigits = "\\p{Nd}";

class Rewriter {
 public:
  Rewriter(std::string_view pattern, const std::string& what) : pattern_(pattern), what_(what) {}

  std::string run() {
    while (position_ < pattern_.size()) step();
    if (in_class_) refuse("a character class without end");
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& found) const {
    throw Error(
        fmt::format("{} in the pattern \"{}\" of {}", found, pattern_.substr(0, 200), what_),
        "a pattern of characters, classes, \\s, \\d and general categories such as \\p{L}",
        "write the pattern with those");
  }

  char take() {
    if (position_ >= pattern_.size()) refuse("an unfinished escape");
    return pattern_[position_++];
  }

  void step() {
    const char c = take();
    if (c == '\\') return escape();
    if (in_class_) return inside_class(c);
    if (c == '[') {
      in_class_ = true;
      out_ += c;
      if (position_ < pattern_.size() && pattern_[position_] == '^') out_ += take();
      // A bracket here is a literal member.
      if (position_ < pattern_.size() && pattern_[position_] == ']') out_ += "\\", out_ += take();
      return;
    }
    out_ += c;
  }

  void inside_class(char c) {
    if (c == '[') refuse("a nested set");
    if (c == '&' && position_ < pattern_.size() && pattern_[position_] == '&') refuse("\"&&\"");
    if (c == ']') in_class_ = false;
    out_ += c;
  }

  void put_set(const std::string& members, bool negated) {
    if (in_class_ && negated) refuse("a negated escape inside a character class");
    out_ += in_class_ ? members : fmt::format("[{}{}]", negated ? "^" : "", members);
  }

  void escape() {
    const char c = take();
    switch (c) {
      case 's':
        return put_set(kSpace, false);
      case 'S':
        return put_set(kSpace, true);
      case 'd':
        return put_set(std::string(kDigits) + additions("Nd"), false);
      case 'D':
        return put_set(std::string(kDigits) + additions("Nd"), true);
      case 'p':
        return put_set(property(), false);
      case 'P':
        return put_set(property(), true);
      case 'r':
      case 'n':
      case 't':
      case 'f':
      case 'x':
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x80 || std::isalnum(static_cast<unsigned char>(c))) {
          refuse(fmt::format("the escape \\{}", c));
        }
    }
    out_ += '\\';
    out_ += c;
  }

  std::string property() {
    std::string name(1, take());
    if (name == "{") {
      name.clear();
      for (char c = take(); c != '}'; c = take()) name += c;
    }
    static constexpr std::string_view kCategories =
        " L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp "
        "Cc Cf ";
    if (kCategories.find(' ' + name + ' ') == std::string_view::npos)
      refuse(fmt::format("the property \\p{{{}}}", name));
    return fmt::format("\\p{{{}}}", name) + additions(name);
  }

  static std::string additions(std::string_view category) {
    std::string out;
    for (const auto& [first, last, name] : kUnicodeAdditions) {
      if (std::string_view(name).starts_with(category))
        out += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", first, last);
    }
    return out;
  }

  std::string_view pattern_;
  const std::string& what_;
  std::string out_;
  size_t position_ = 0;
  bool in_class_ = false;
};

}  // namespace

std::string portable_pattern(std::string_view pattern, const std::string& what) {
  return Rewriter(pattern, what).run();
}

std::string quoted_pattern(std::string_view literal) {
  std::string out;
  for (const char c : literal) {
    if (static_cast<unsigned char>(c) < 0x80 && std::ispunct(static_cast<unsigned char>(c)))
      out += '\\';
    out += c;
  }
  return out;
}

}  // namespace octet
