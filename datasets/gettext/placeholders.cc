#include "datasets/gettext/placeholders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace octet {
namespace {

constexpr auto kNone = std::string_view::npos;

bool letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}
bool name_character(char c) {
  return letter(c) || digit(c) || c == '_';
}

// Reads a text from one place on.
class Cursor {
 public:
  Cursor(std::string_view text, size_t at) : text_(text), at_(at) {}
  size_t at() const { return at_; }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  template <class Test>
  std::string_view run(Test test) {
    const size_t begin = at_;
    while (at_ < text_.size() && test(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

 private:
  std::string_view text_;
  size_t at_;
};

constexpr std::string_view kConversions = "diouxXeEfFgGaAcCsSpnm";
constexpr std::string_view kLengths[] = {"hh", "h", "ll", "l", "q", "L", "j", "z", "Z", "t"};

// Behind "%": [position$][flags][width][.precision][length]conversion. The flag ' ' is left out:
// "100% free" is no conversion.
bool printf_conversion(Cursor& c, std::string& meaning) {
  const Cursor start = c;
  if (c.run(digit).empty() || !c.take('$')) c = start;
  c.run([](char f) { return std::string_view("-+#0'I").find(f) != kNone; });
  if (!c.take('*')) c.run(digit);
  if (c.take('.') && !c.take('*')) c.run(digit);
  std::string_view length;
  for (const std::string_view known : kLengths) {
    if (c.take(known)) {
      length = known;
      break;
    }
  }
  if (c.peek() == '\0' || kConversions.find(c.peek()) == kNone) return false;
  meaning = fmt::format("%{}{}", length, c.peek());
  c.take(c.peek());
  return true;
}

bool percent(Cursor& c, std::string& meaning) {
  if (c.take('%')) return true;  // a percent sign
  const Cursor start = c;
  if (c.take('(')) {
    const auto name = c.run([](char f) { return f != ')' && f != '\n'; });
    std::string conversion;
    if (!c.take(')') || !printf_conversion(c, conversion)) return false;
    meaning = fmt::format("%({}){}", name, conversion.substr(1));
    return true;
  }
  if (printf_conversion(c, meaning)) return true;
  c = start;
  c.take('L');
  if (const auto number = c.run(digit); !number.empty()) {
    meaning = fmt::format("%{}", number);
    return true;
  }
  c = start;
  if (!letter(c.peek())) return false;
  meaning = fmt::format("%{}", c.peek());  // of strftime and the like
  c.take(c.peek());
  return true;
}

bool braces(Cursor& c, std::string& meaning) {
  const auto inside = c.run(
      [](char f) { return name_character(f) || std::string_view(".:!<>=+-[]").find(f) != kNone; });
  meaning = fmt::format("{{{}}}", inside.substr(0, inside.find_first_of(":!")));
  return c.take('}');
}

bool shell(Cursor& c, std::string& meaning) {
  if (c.take('{')) return braces(c, meaning);
  const auto name = c.run(name_character);
  meaning = fmt::format("${}", name);
  return !name.empty() && !digit(name.front());
}

bool tag(Cursor& c, std::string& meaning) {
  meaning = c.take('/') ? "</" : "<";
  const auto name = c.run([](char f) { return name_character(f) || f == '-' || f == ':'; });
  if (name.empty() || !letter(name.front())) return false;
  for (const char f : name) {
    meaning += static_cast<char>(std::tolower(static_cast<unsigned char>(f)));
  }
  c.run([](char f) { return f != '>' && f != '<' && f != '\n'; });
  return c.take('>');
}

bool entity(Cursor& c, std::string& meaning) {
  const bool code = c.take('#');
  const auto name = c.run([](char f) { return letter(f) || digit(f); });
  meaning = fmt::format("&{}", name);
  return !name.empty() && (code || letter(name.front())) && c.take(';');
}

bool option(Cursor& c, std::string& meaning) {
  const auto name = c.run([](char f) { return letter(f) || digit(f) || f == '-' || f == '_'; });
  meaning = fmt::format("--{}", name);
  return !name.empty() && letter(name.front());
}

bool placeholder_at(std::string_view text, Cursor& c, std::string& meaning) {
  const size_t at = c.at();
  if (c.take('%')) return percent(c, meaning);
  if (c.take('{')) return braces(c, meaning);
  if (c.take('$')) return shell(c, meaning);
  if (c.take('<')) return tag(c, meaning);
  if (c.take('&')) return entity(c, meaning);
  const bool first = at == 0 || (!name_character(text[at - 1]) && text[at - 1] != '-');
  return first && c.take("--") && option(c, meaning);
}

std::vector<std::string> meanings(std::string_view text) {
  std::vector<std::string> out;
  for (Placeholder& found : placeholders(text)) {
    if (!found.meaning.empty()) out.push_back(std::move(found.meaning));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::vector<Placeholder> placeholders(std::string_view text) {
  std::vector<Placeholder> out;
  for (size_t i = 0; i < text.size();) {
    Cursor cursor(text, i);
    std::string meaning;
    if (placeholder_at(text, cursor, meaning)) {
      out.push_back({i, cursor.at(), std::move(meaning)});
      i = cursor.at();
    } else {
      ++i;
    }
  }
  return out;
}

bool same_placeholders(std::string_view a, std::string_view b) {
  return meanings(a) == meanings(b);
}

std::string without_placeholders(std::string_view text) {
  std::string out;
  size_t begin = 0;
  for (const Placeholder& found : placeholders(text)) {
    out.append(text.substr(begin, found.begin - begin)).append(" ");
    begin = found.end;
  }
  return out.append(text.substr(begin));
}

}  // namespace octet
