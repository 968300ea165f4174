#include "text/tokenizers/pre_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "text/tokenizers/json_fields.h"

namespace octet {
namespace {

using nlohmann::json;

// GPT-2's encoder.py, as Hugging Face's ByteLevel uses it.
constexpr const char* kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Digits follows Rust's char::is_numeric, which is at Unicode 17: two ranges more than 16 has.
constexpr const char* kNumericPattern = R"([\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])";

constexpr size_t kMostSteps = 64;

SplitBehavior behavior_of(const std::string& name, const std::string& what) {
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  json_fields::refuse(fmt::format("split behavior \"{}\"", name.substr(0, 40)),
                      "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous", what);
}

struct Part {
  TextRange range;
  bool match;
};

// Calls take(part) for matches and the gaps between them, covering [0, size).
template <typename Take>
void each_part(size_t size, const std::vector<TextRange>& matches, bool invert, bool backwards,
               Take take) {
  std::vector<Part> parts;
  parts.reserve(2 * matches.size() + 1);
  size_t end = 0;
  for (const TextRange& match : matches) {
    if (match.begin != end) parts.push_back({{end, match.begin}, invert});
    parts.push_back({match, !invert});
    end = match.end;
  }
  if (end != size) parts.push_back({{end, size}, invert});
  if (backwards) std::reverse(parts.begin(), parts.end());
  for (const Part& part : parts) take(part);
}

// Joins each match to the part before it (in the order of the parts), unless that is a match too.
void merge_neighbours(size_t size, const std::vector<TextRange>& matches, bool invert,
                      bool backwards, std::vector<TextRange>& out) {
  bool after_match = false;
  each_part(size, matches, invert, backwards, [&](const Part& part) {
    if (part.match && !after_match && !out.empty()) {
      (backwards ? out.back().begin : out.back().end) =
          backwards ? part.range.begin : part.range.end;
    } else {
      out.push_back(part.range);
    }
    after_match = part.match;
  });
  if (backwards) std::reverse(out.begin(), out.end());
}

void join_equal(size_t size, const std::vector<TextRange>& matches, bool invert,
                std::vector<TextRange>& out) {
  bool previous = false;
  each_part(size, matches, invert, false, [&](const Part& part) {
    if (part.match == previous && !out.empty()) {
      out.back().end = part.range.end;
    } else {
      out.push_back(part.range);
    }
    previous = part.match;
  });
}

}  // namespace

PreTokenizer::PreTokenizer(const json& spec, const std::string& what) {
  if (!spec.is_null()) add_step(spec, what);
  if (!complete_)
    json_fields::refuse("a pre_tokenizer without ByteLevel", "ByteLevel as the last step", what);
}

void PreTokenizer::add_step(const json& spec, const std::string& what) {
  const std::string& type = json_fields::text(spec, "type", what);
  if (complete_) {
    json_fields::refuse(fmt::format("pre_tokenizer {} behind ByteLevel", type.substr(0, 40)),
                        "ByteLevel as the last step", what);
  }
  if (type == "Sequence") {
    const json& list = json_fields::need(spec, "pretokenizers", what);
    if (!list.is_array())
      json_fields::refuse("\"pretokenizers\" that is no array", "an array", what);
    for (const json& step : list) add_step(step, what);
    if (steps_.size() > kMostSteps) {
      json_fields::refuse(fmt::format("more than {} steps of the pre_tokenizer", kMostSteps),
                          "a few", what);
    }
  } else if (type == "Split") {
    steps_.push_back(split_step(spec, what));
  } else if (type == "Digits") {
    steps_.push_back(digits_step(spec, what));
  } else if (type == "ByteLevel") {
    steps_.push_back(byte_level_step(spec, what));
    complete_ = true;
  } else {
    json_fields::refuse(fmt::format("pre_tokenizer \"{}\"", type.substr(0, 40)),
                        "Sequence, Split, Digits or ByteLevel", what);
  }
}

PreTokenizer::Step PreTokenizer::split_step(const json& spec, const std::string& what) {
  Step step;
  step.behavior = behavior_of(json_fields::text(spec, "behavior", what), what);
  step.invert = json_fields::flag(spec, "invert", false, what);
  const json& pattern = json_fields::need(spec, "pattern", what);
  const bool literal = pattern.is_object() && pattern.contains("String");
  const std::string& text = json_fields::text(pattern, literal ? "String" : "Regex", what);
  if (text.empty()) json_fields::refuse("an empty Split pattern", "a pattern", what);
  step.pattern.emplace(literal ? quoted_pattern(text) : text, what);
  return step;
}

PreTokenizer::Step PreTokenizer::digits_step(const json& spec, const std::string& what) {
  Step step;
  step.pattern.emplace(kNumericPattern, what);
  step.behavior = json_fields::flag(spec, "individual_digits", false, what)
                      ? SplitBehavior::kIsolated
                      : SplitBehavior::kContiguous;
  return step;
}

PreTokenizer::Step PreTokenizer::byte_level_step(const json& spec, const std::string& what) {
  Step step;
  step.prefix_space = json_fields::flag(spec, "add_prefix_space", true, what);
  if (json_fields::flag(spec, "use_regex", true, what))
    step.pattern.emplace(kByteLevelPattern, what);
  return step;
}

void PreTokenizer::split(std::string_view text, Words& words) const {
  words.views.clear();
  words.storage.clear();
  if (!text.empty()) words.views.push_back(text);
  for (const Step& step : steps_) {
    words.next.clear();
    for (const std::string_view piece : words.views) apply(step, piece, words);
    std::swap(words.views, words.next);
  }
}

void PreTokenizer::apply(const Step& step, std::string_view piece, Words& words) {
  if (step.prefix_space && !piece.starts_with(' ')) {
    piece = words.storage.emplace_back(" ").append(piece);
  }
  if (!step.pattern) {
    words.next.push_back(piece);
    return;
  }
  words.matches.clear();
  words.parts.clear();
  step.pattern->find_all(piece, words.matches);
  switch (step.behavior) {
    case SplitBehavior::kRemoved:
    case SplitBehavior::kIsolated:
      each_part(piece.size(), words.matches, step.invert, false, [&](const Part& part) {
        if (!part.match || step.behavior == SplitBehavior::kIsolated)
          words.parts.push_back(part.range);
      });
      break;
    case SplitBehavior::kMergedWithPrevious:
    case SplitBehavior::kMergedWithNext:
      merge_neighbours(piece.size(), words.matches, step.invert,
                       step.behavior == SplitBehavior::kMergedWithNext, words.parts);
      break;
    case SplitBehavior::kContiguous:
      join_equal(piece.size(), words.matches, step.invert, words.parts);
  }
  for (const auto [begin, end] : words.parts) {
    if (begin != end) words.next.push_back(piece.substr(begin, end - begin));
  }
}

}  // namespace octet
