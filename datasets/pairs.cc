#include "datasets/pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "core/utf8.h"
#include "datasets/gettext/gettext.h"
#include "datasets/records.h"

namespace octet {
namespace {

bool blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\v\f") == std::string_view::npos;
}

// The lines of a file, without line ends; a line break at the end begins no line.
std::vector<std::string_view> lines_of(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    begin = end + 1;
  }
  return lines;
}

void check_lines(const std::vector<std::string_view>& lines, const std::string& path) {
  if (std::all_of(lines.begin(), lines.end(), blank)) {
    throw Error(fmt::format("no sentence in {} ({} lines)", path, lines.size()),
                "a sentence a line", "give a file with text in it");
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (valid_utf8(lines[i])) continue;
    throw Error(fmt::format("invalid UTF-8 in {} line {}", path, i + 1), "text in UTF-8",
                "convert the file, e.g. with iconv -f ISO-8859-1 -t UTF-8");
  }
}

void read_parallel(const DataSpec& spec, std::vector<SentencePair>& pairs) {
  const std::string source = read_whole(spec.path, kMostData);
  const std::string target = read_whole(spec.second, kMostData);
  const auto from = lines_of(source), to = lines_of(target);
  check_lines(from, spec.path);
  check_lines(to, spec.second);
  if (from.size() != to.size()) {
    throw Error(
        fmt::format("{} lines in {} and {} in {}", from.size(), spec.path, to.size(), spec.second),
        "files with the same number of lines, line i the translation of line i",
        "give the two files of one corpus");
  }
  for (size_t i = 0; i < from.size(); ++i) {
    if (blank(from[i]) || blank(to[i])) continue;
    pairs.push_back({std::string(from[i]), std::string(to[i])});
  }
}

}  // namespace

std::vector<SentencePair> read_pairs(const std::string& data, Split split, Log* log) {
  std::vector<SentencePair> pairs;
  for (const DataSpec& spec : parse_data_parts(data)) {
    const size_t before = pairs.size();
    if (spec.kind == DataKind::kParallel) {
      read_parallel(spec, pairs);
    } else if (spec.kind == DataKind::kGettext) {
      read_catalogues(spec, spec.split.value_or(split), pairs, log);
    } else {
      refuse_kind(spec, "sentence pairs: parallel:SRC,TGT or gettext:LANG[:DIR]");
    }
    if (pairs.size() == before) {
      throw Error(fmt::format("no sentence pair in {} data ({})", kind_name(spec.kind), spec.path),
                  "at least one line with text on both sides", "give data with sentence pairs");
    }
  }
  return pairs;
}

}  // namespace octet
