#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/error.h"

namespace octet {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
constexpr size_t kNarrowest = 8;

struct CodePoint {
  uint32_t value = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The code point at the start of `text` (not empty); invalid input takes one byte.
CodePoint next(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  uint32_t value = lead & (0xFFU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[bytes] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return {};
  return {value, bytes, true};
}

bool within(uint32_t c, std::initializer_list<std::pair<uint32_t, uint32_t>> ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const auto& range) { return c >= range.first && c <= range.second; });
}

size_t width_of(uint32_t c) {
  if (within(c, {{0x300, 0x36F}, {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}})) return 0;
  if (within(c, {{0x1100, 0x115F},
                 {0x2E80, 0xA4CF},
                 {0xAC00, 0xD7A3},
                 {0xF900, 0xFAFF},
                 {0xFE30, 0xFE6F},
                 {0xFF00, 0xFF60},
                 {0xFFE0, 0xFFE6},
                 {0x1F300, 0x1FAFF},
                 {0x20000, 0x3FFFD}})) {
    return 2;
  }
  return 1;
}

// C0, DEL, C1, line separators, and marks that reorder what is shown.
bool is_control(uint32_t c) {
  return within(c, {{0, 0x1F}, {0x7F, 0x9F}, {0x2028, 0x202E}, {0x2066, 0x2069}});
}

// `text` (printable) cut to at most `width` columns, with an ellipsis where cut.
std::string cut(const std::string& text, size_t width) {
  if (display_width(text) <= width) return text;
  size_t at = 0, used = 0;
  while (at < text.size()) {
    const CodePoint c = next(std::string_view(text).substr(at));
    if (used + width_of(c.value) > width - 1) break;
    used += width_of(c.value);
    at += c.bytes;
  }
  return text.substr(0, at) + std::string(kEllipsis);
}

std::string line_of(const std::vector<TextTable::Cell>& cells,
                    const std::vector<TextTable::Column>& columns,
                    const std::vector<size_t>& widths) {
  std::string line;
  for (size_t c = 0; c < cells.size(); ++c) {
    const std::string cell = cut(cells[c].text, widths[c]);
    const std::string pad(widths[c] - display_width(cell), ' ');
    if (c > 0) line += "  ";
    line += columns[c].align == Align::kLeft ? cell + pad : pad + cell;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// Narrows the widest left-aligned columns until the table fits or none can give.
void shrink(std::vector<size_t>& widths, const std::vector<TextTable::Column>& columns,
            size_t limit) {
  const auto total = [&] {
    size_t sum = 2 * (widths.size() - 1);
    for (size_t width : widths) sum += width;
    return sum;
  };
  while (total() > limit) {
    size_t widest = widths.size();
    for (size_t c = 0; c < widths.size(); ++c) {
      const bool can = columns[c].align == Align::kLeft && widths[c] > kNarrowest;
      if (can && (widest == widths.size() || widths[c] > widths[widest])) widest = c;
    }
    if (widest == widths.size()) return;
    --widths[widest];
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const CodePoint c = next(text);
    out += !c.valid || is_control(c.value) ? kReplacement : text.substr(0, c.bytes);
    text.remove_prefix(c.bytes);
  }
  return out;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const CodePoint c = next(text);
    width += c.valid ? width_of(c.value) : 1;
    text.remove_prefix(c.bytes);
  }
  return width;
}

std::string markdown_escape(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    if (std::string_view("\\`*_[]<>|#&~").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {
  if (columns_.empty()) throw Error("a table without columns", "at least one", "name a column");
}

void TextTable::add(std::vector<Cell> cells) {
  if (cells.size() != columns_.size()) {
    throw Error(fmt::format("a table row of {} cells", cells.size()),
                fmt::format("{} cells", columns_.size()), "give one cell a column");
  }
  for (Cell& cell : cells) cell.text = printable(cell.text);
  rows_.push_back(std::move(cells));
}

std::string TextTable::text(size_t width) const {
  std::vector<Cell> titles;
  std::vector<size_t> widths;
  for (const Column& column : columns_) {
    titles.emplace_back(printable(column.title));
    widths.push_back(display_width(titles.back().text));
  }
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c)
      widths[c] = std::max(widths[c], display_width(row[c].text));
  }
  shrink(widths, columns_, width);
  std::string out = line_of(titles, columns_, widths);
  for (const auto& row : rows_) out += line_of(row, columns_, widths);
  return out;
}

std::string TextTable::markdown() const {
  std::string out = "|", rule = "|";
  for (const Column& column : columns_) {
    out += fmt::format(" {} |", markdown_escape(column.title));
    rule += column.align == Align::kLeft ? " --- |" : " ---: |";
  }
  out += "\n" + rule + "\n";
  for (const auto& row : rows_) {
    out += "|";
    for (const Cell& cell : row) out += fmt::format(" {} |", markdown_escape(cell.text));
    out += "\n";
  }
  return out;
}

}  // namespace octet
