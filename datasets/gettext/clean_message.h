// Messages of programs as sentences for translation.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/pairs.h"

namespace octet {

/// The sentence pairs of one message: a pair for each paragraph when both sides have equally many,
/// lines joined, white space at the ends and accelerator marks removed. Leaves out whatever is not
/// a sentence (fewer than two words, mostly options and file names, tables, more than 60 words) or
/// not a translation (equal sides, different placeholders, far longer or shorter).
std::vector<SentencePair> clean_message(std::string_view source, std::string_view target);

/// The letters of a sentence in lower case, without placeholders: equal for near-duplicates.
std::string letters_of(std::string_view sentence);

/// `text` without its accelerator mark: "_Open", "E&xit", "(_O)" behind a word. A '_' or '&' that
/// belongs to a name, which then stands in `other` too, is kept; so is "&&".
std::string without_accelerator(std::string_view text, std::string_view other);

}  // namespace octet
