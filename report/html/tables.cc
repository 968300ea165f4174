#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "report/html/parts.h"

namespace octet::html {
namespace {

constexpr std::string_view kMinus = "\xE2\x88\x92", kTimes = "\xC3\x97";

bool digit(std::string_view text, size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

// "-0.5" and "2.3x" with true signs; "w8a8-static" and "10^6" stay.
std::string typeset(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts = i == 0 || text[i - 1] == ' ' || text[i - 1] == '[' || text[i - 1] == '(' ||
                        text[i - 1] == '.';
    const bool ends = i + 1 == text.size() || text[i + 1] == ' ';
    if (text[i] == '-' && starts && digit(text, i + 1)) {
      out += kMinus;
    } else if (text[i] == 'x' && ends && i > 0 && (digit(text, i - 1) || text[i - 1] == ' ')) {
      out += kTimes;
    } else {
      out += text[i];
    }
  }
  return out;
}

Markup row_of(const Page& page, const TextTable& table, const std::vector<TextTable::Cell>& cells) {
  Markup out;
  for (size_t c = 0; c < cells.size(); ++c) {
    const bool left = table.columns()[c].align == Align::kLeft;
    const Markup content = figure(page, cells[c]);
    if (c == 0 && left) {
      out += element("th", {{"scope", "row"}}, content);
    } else {
      out += left ? element("td", content) : element("td", {{"class", "num"}}, content);
    }
  }
  return element("tr", out);
}

}  // namespace

Markup prose(std::string_view sentence) {
  return text(typeset(sentence));
}

Markup figure(const Page& page, const TextTable::Cell& cell) {
  if (cell.key.empty()) return text(typeset(cell.text));
  const Json& value = page.json.at(Json::json_pointer(cell.key));
  if (value.is_null()) return text(typeset(cell.text));
  return element("data",
                 {{"value", value.dump()},
                  {"data-key", cell.key},
                  {"data-scale", cell.scale == 1 ? "1" : fmt::format("{}", cell.scale)}},
                 typeset(cell.text));
}

Markup table(const Page& page, const TextTable& table, const std::string& caption) {
  Markup head, body;
  for (const TextTable::Column& column : table.columns()) {
    head += column.align == Align::kLeft
                ? element("th", {{"scope", "col"}}, column.title)
                : element("th", {{"scope", "col"}, {"class", "num"}}, column.title);
  }
  for (const auto& cells : table.cells()) body += row_of(page, table, cells);
  return element(
      "div", {{"class", "scroll"}, {"role", "region"}, {"aria-label", caption}, {"tabindex", "0"}},
      element("table", element("caption", caption) + element("thead", element("tr", head)) +
                           element("tbody", body)));
}

}  // namespace octet::html
