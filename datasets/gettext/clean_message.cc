#include "datasets/gettext/clean_message.h"

#include <algorithm>
#include <cctype>

#include "datasets/gettext/placeholders.h"

namespace octet {
namespace {

constexpr size_t kMostBytes = 4096;  // of a message; a longer one is a manual
constexpr size_t kMostWords = 60;
constexpr auto kNone = std::string_view::npos;
constexpr std::string_view kSpaces = " \t\r\n\v\f";

bool byte_of_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}
bool byte_of_name(char c) {
  return byte_of_letter(c) || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         c == '&';
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == kNone) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

bool is_entity(std::string_view text, size_t at) {
  for (size_t i = at + 1; i < text.size() && i < at + 10; ++i) {
    if (text[i] == ';') return i > at + 1;
    if (std::isalnum(static_cast<unsigned char>(text[i])) == 0 && text[i] != '#') return false;
  }
  return false;
}

// ASCII, or the first byte of a character from U+00C0 up that is no general punctuation.
bool begins_letter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || (byte >= 0xC3 && byte != 0xE2);
}

// Where `mark` stands before a letter or digit, not doubled.
std::vector<size_t> marks(std::string_view text, char mark) {
  std::vector<size_t> out;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    const bool doubled = (i > 0 && text[i - 1] == mark) || text[i + 1] == mark;
    if (text[i] == mark && !doubled && begins_letter(text[i + 1]) &&
        !(mark == '&' && is_entity(text, i))) {
      out.push_back(i);
    }
  }
  return out;
}

// True for a name such as max_size or R&D, which both languages share.
bool is_name(std::string_view text, size_t at, std::string_view other) {
  size_t begin = at, end = at;
  while (begin > 0 && byte_of_name(text[begin - 1])) --begin;
  while (end < text.size() && byte_of_name(text[end])) ++end;
  const bool begins_word = begin == at && std::isupper(static_cast<unsigned char>(text[at + 1]));
  return !begins_word && other.find(text.substr(begin, end - begin)) != kNone;
}

std::string without_mark(std::string_view text, std::string_view other, char mark) {
  const std::vector<size_t> found = marks(text, mark);
  std::string out(text);
  if (found.size() != 1 || is_name(text, found[0], other)) return out;
  const size_t at = found[0];
  if (at > 0 && text[at - 1] == '(' && at + 2 < text.size() && text[at + 2] == ')')
    return out.erase(at - 1, 4);  // "(_O)"
  return out.erase(at, 1);
}

struct Paragraph {
  std::string text;    ///< on one line
  bool table = false;  ///< columns or a list rather than sentences
};

// Two spaces may follow a sentence; elsewhere they set columns apart.
bool has_columns(std::string_view line) {
  for (size_t at = line.find("  "); at != kNone; at = line.find("  ", at + 2)) {
    if (at == 0 || std::string_view(".!?:").find(line[at - 1]) == kNone) return true;
  }
  return line.find('\t') != kNone;
}

void add_line(std::string_view line, bool single, Paragraph& paragraph) {
  const std::string_view text = trimmed(line);
  const bool listed = text.starts_with('-') || text.starts_with('*') || text.starts_with("o ");
  const bool indented = line.starts_with(' ') || line.starts_with('\t');
  paragraph.table |= has_columns(text) || (!single && (listed || indented));
  if (!paragraph.text.empty()) paragraph.text += ' ';
  bool space = false;
  for (const char c : text) {
    if (!(space && c == ' ')) paragraph.text += c;
    space = c == ' ';
  }
}

// Cut at empty lines; the lines of a paragraph joined.
std::vector<Paragraph> paragraphs(std::string_view message) {
  std::vector<Paragraph> out;
  const bool single = message.find('\n') == kNone;
  bool open = false;
  for (size_t begin = 0; begin < message.size();) {
    const size_t end = std::min(message.find('\n', begin), message.size());
    const std::string_view line = message.substr(begin, end - begin);
    begin = end + 1;
    const bool empty = trimmed(line).empty();
    if (!empty) {
      if (!open) out.emplace_back();
      add_line(line, single, out.back());
    }
    open = !empty;
  }
  return out;
}

struct Words {
  size_t all = 0;   ///< separated by spaces
  size_t real = 0;  ///< of letters alone, but for punctuation around them
};

bool real_word(std::string_view word) {
  constexpr std::string_view kAround = ".,;:!?'\"`()*";
  const size_t begin = word.find_first_not_of(kAround);
  if (begin == kNone) return false;
  word = word.substr(begin, word.find_last_not_of(kAround) - begin + 1);
  const auto letters = std::count_if(word.begin(), word.end(), byte_of_letter);
  const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
    return byte_of_letter(c) || c == '-' || c == '\'' || c == '/';
  });
  return plain && letters > 0 && word.front() != '-' && word.front() != '/';
}

Words count_words(std::string_view text) {
  Words words;
  for (size_t begin = text.find_first_not_of(kSpaces); begin != kNone;) {
    const size_t end = std::min(text.find_first_of(kSpaces, begin), text.size());
    ++words.all;
    words.real += real_word(text.substr(begin, end - begin)) ? 1 : 0;
    begin = text.find_first_not_of(kSpaces, end);
  }
  return words;
}

bool is_sentence(std::string_view text, size_t fewest_words) {
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  const Words words = count_words(text);
  return !control && words.all <= kMostWords && words.real >= fewest_words &&
         2 * words.real >= words.all;
}

bool is_pair(const SentencePair& pair) {
  const size_t a = pair.source.size(), b = pair.target.size();
  const bool like_long = a < 3 * b + 30 && b < 3 * a + 30;
  return pair.source != pair.target && like_long && is_sentence(pair.source, 2) &&
         is_sentence(pair.target, 1) && same_placeholders(pair.source, pair.target);
}

// Not messages but where translators enter their names, and comments of old KDE.
bool is_note(std::string_view source) {
  return source.starts_with("translator") || source.starts_with("_:") ||
         source.starts_with("_n:") || source.starts_with("Your names") ||
         source.starts_with("Your emails");
}

}  // namespace

std::string without_accelerator(std::string_view text, std::string_view other) {
  return without_mark(without_mark(text, other, '_'), other, '&');
}

std::string letters_of(std::string_view sentence) {
  std::string out;
  for (const char c : without_placeholders(sentence)) {
    if (byte_of_letter(c)) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

std::vector<SentencePair> clean_message(std::string_view source, std::string_view target) {
  std::vector<SentencePair> pairs;
  if (source.size() > kMostBytes || target.size() > kMostBytes || is_note(source)) return pairs;
  const auto from = paragraphs(trimmed(source)), to = paragraphs(trimmed(target));
  if (from.size() != to.size()) return pairs;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i].table || to[i].table) continue;
    SentencePair pair{without_accelerator(from[i].text, to[i].text),
                      without_accelerator(to[i].text, from[i].text)};
    if (is_pair(pair)) pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace octet
