// Segments of text as translation scores see them: white space and code points.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// What Python's str.split() and str.strip() take for white space: the property White_Space and
/// U+001C to U+001F.
bool is_space(uint32_t code);

/// `text` (well-formed UTF-8) without white space at its end.
std::string_view strip_end(std::string_view text);

/// The parts of `text` (well-formed UTF-8) between runs of white space; none is empty.
std::vector<std::string_view> split_words(std::string_view text);

/// Scores add up over segments; each has one system output and its references.
struct Segment {
  std::string hypothesis;
  std::vector<std::string> references;  ///< at least one
};

/// Error for a segment without references.
void check_segment(const Segment& segment);

}  // namespace octet
