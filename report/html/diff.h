// Two sentences word by word: what one has and the other has not.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// A run of text, with the white space behind it, that is the same in both or not.
struct DiffPart {
  std::string text;
  bool changed = false;
};

struct WordDiff {
  std::vector<DiffPart> before, after;  ///< joined, each gives its sentence
};

/// By a longest common subsequence of words; scripts that do not put spaces between words are
/// compared character by character. Texts of more than 1,000 words each are marked as changed from
/// end to end unless they are the same. Input must be valid UTF-8 (printable()).
WordDiff word_diff(std::string_view before, std::string_view after);

}  // namespace octet
