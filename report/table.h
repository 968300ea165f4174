// Text tables for terminals and Markdown.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace octet {

/// `text` for one terminal line: control characters (escapes, line ends) and invalid UTF-8 become
/// U+FFFD.
std::string printable(std::string_view text);

/// Columns `text` takes in a terminal: combining marks 0, East Asian wide and emoji 2, all else 1.
size_t display_width(std::string_view text);

enum class Align { kLeft, kRight };

/// Rows of cells under a header. Cells may hold any bytes; they are made printable here.
class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::kRight;
  };
  /// A figure says where report.json has it: `key` is a JSON pointer, what is shown is about
  /// `scale` times what stands there.
  struct Cell {
    std::string text, key = {};
    double scale = 1;
    Cell(std::string shown, std::string pointer = {}, double factor = 1)  // NOLINT: plain text, too
        : text(std::move(shown)), key(std::move(pointer)), scale(factor) {}
    Cell(const char* shown) : text(shown) {}  // NOLINT
  };
  explicit TextTable(std::vector<Column> columns);
  /// Throws Error unless there is one cell a column.
  void add(std::vector<Cell> cells);
  size_t rows() const { return rows_.size(); }
  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<Cell>>& cells() const { return rows_; }
  /// Aligned text, one line a row, two spaces between columns, no trailing spaces. A table wider
  /// than `width` has its widest left-aligned columns cut with "…", down to 8; figures are never
  /// cut.
  std::string text(size_t width = 120) const;
  /// A Markdown table; characters with a meaning there are escaped.
  std::string markdown() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// `text` as literal Markdown on one line.
std::string markdown_escape(std::string_view text);

}  // namespace octet
