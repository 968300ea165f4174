#include "eval/words.h"

#include "core/error.h"
#include "models/tokenizers/utf8.h"

namespace octet {

bool is_space(uint32_t code) {
  return is_white_space(code) || (code >= 0x1C && code <= 0x1F);
}

std::string_view strip_end(std::string_view text) {
  while (!text.empty()) {
    const size_t last = last_character(text);
    size_t position = last;
    if (!is_space(next_code_point(text, position))) break;
    text = text.substr(0, last);
  }
  return text;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t position = 0; position < text.size();) {
    const size_t here = position;
    if (!is_space(next_code_point(text, position))) continue;
    if (here > begin) words.push_back(text.substr(begin, here - begin));
    begin = position;
  }
  if (begin < text.size()) words.push_back(text.substr(begin));
  return words;
}

void check_segment(const Segment& segment) {
  if (segment.references.empty()) {
    throw Error("a segment without a reference", "at least one reference translation",
                "score sentences that have a translation");
  }
}

}  // namespace octet
