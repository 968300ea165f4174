// The parts of the page, in their order.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "report/html/markup.h"
#include "report/report.h"
#include "report/table.h"

namespace octet::html {

using Json = nlohmann::ordered_json;

/// What every part reads: the report, and report.json as it is written, which figures point into.
struct Page {
  const Report& report;
  const Json& json;
  bool charts = false;  ///< Chart.js is there
};

/// A figure as <data value="..." data-key="JSON pointer">; plain text where there is no pointer.
Markup figure(const Page& page, const TextTable::Cell& cell);
/// A sentence of the report with true minus and multiplication signs in its numbers.
Markup prose(std::string_view sentence);
/// In a box that scrolls by itself.
Markup table(const Page& page, const TextTable& table, const std::string& caption);

Markup head_part(const Page& page);      ///< title, verdict and summary: the first screen
Markup losses_part(const Page& page);    ///< measured losses, gaps, the rule
Markup charts_part(const Page& page);    ///< each with its table
Markup figures_part(const Page& page);   ///< the tables of all other forms
Markup examples_part(const Page& page);  ///< changed translations; empty without any
Markup foot_part(const Page& page);      ///< kept layers, provenance, commands

/// What page.js draws: {"variants": [{"name", "from", "float"}], "charts": [{"id", "kind", ...}]}.
Json chart_data(const Report& report);

}  // namespace octet::html
