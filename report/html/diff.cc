#include "report/html/diff.h"

#include <algorithm>
#include <cstdint>

namespace octet {
namespace {

constexpr size_t kMaxWords = 1000;

struct Word {
  std::string_view word, all;  // `all`: with the spaces behind it
};

size_t bytes_of(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
}

// Written without spaces: from the CJK radicals up to the Yi syllables, the compatibility
// ideographs and full-width forms, and everything outside the basic plane. By UTF-8 alone.
bool stands_alone(std::string_view character) {
  if (character.size() == 4) return true;
  return character.size() == 3 && ((character >= "\xE2\xBA\x80" && character < "\xEA\x93\x90") ||
                                   (character >= "\xEF\xA4\x80" && character < "\xEF\xBF\xB0"));
}

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> out;
  size_t at = 0;
  while (at < text.size()) {
    const size_t start = at;
    while (at < text.size() && text[at] != ' ') {
      const size_t bytes = std::min(bytes_of(text[at]), text.size() - at);
      const bool alone = stands_alone(text.substr(at, bytes));
      if (alone && at > start) break;
      at += bytes;
      if (alone) break;
    }
    const size_t end = at;
    while (at < text.size() && text[at] == ' ') ++at;
    out.push_back({text.substr(start, end - start), text.substr(start, at - start)});
  }
  return out;
}

void append(std::vector<DiffPart>& parts, std::string_view text, bool changed) {
  if (parts.empty() || parts.back().changed != changed) parts.push_back({"", changed});
  parts.back().text += text;
}

}  // namespace

WordDiff word_diff(std::string_view before, std::string_view after) {
  WordDiff out;
  const std::vector<Word> a = words_of(before), b = words_of(after);
  if (before == after || a.size() > kMaxWords || b.size() > kMaxWords) {
    if (!before.empty()) append(out.before, before, before != after);
    if (!after.empty()) append(out.after, after, before != after);
    return out;
  }
  const size_t columns = b.size() + 1;
  std::vector<uint16_t> length((a.size() + 1) * columns);  // of the rest's common subsequence
  const auto at = [&](size_t i, size_t j) -> uint16_t& { return length[i * columns + j]; };
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      at(i, j) = a[i].word == b[j].word ? static_cast<uint16_t>(at(i + 1, j + 1) + 1)
                                        : std::max(at(i + 1, j), at(i, j + 1));
    }
  }
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i].word == b[j].word) {
      append(out.before, a[i++].all, false);
      append(out.after, b[j++].all, false);
    } else if (j == b.size() || (i < a.size() && at(i + 1, j) >= at(i, j + 1))) {
      append(out.before, a[i++].all, true);
    } else {
      append(out.after, b[j++].all, true);
    }
  }
  return out;
}

}  // namespace octet
