// The tables beside the page's charts, and the summary of the verdict.
#include <fmt/format.h>

#include <map>

#include "report/figures.h"
#include "report/quality.h"
#include "report/sections.h"

namespace octet {
namespace {
using Cell = TextTable::Cell;
}

TextTable layer_table(const Report& report) {
  std::vector<TextTable::Column> columns = {{"site", Align::kLeft}};
  std::vector<std::string> sites;
  std::map<std::string, std::map<size_t, Cell>> rows;
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    if (v.layer_errors.empty()) continue;
    columns.push_back({v.name + " %"});
    for (size_t k = 0; k < v.layer_errors.size(); ++k) {
      const LayerError& e = v.layer_errors[k];
      if (!rows.contains(e.site)) sites.push_back(e.site);
      rows[e.site].insert_or_assign(
          columns.size() - 2, Cell(number(100 * e.error, 3),
                                   fmt::format("/variants/{}/layer_errors/{}/error", i, k), 100));
    }
  }
  TextTable table(columns);
  for (const std::string& site : sites) {
    std::vector<Cell> cells = {site};
    for (size_t c = 0; c + 1 < columns.size(); ++c) {
      const auto found = rows[site].find(c);
      cells.push_back(found == rows[site].end() ? Cell(kNone) : found->second);
    }
    table.add(cells);
  }
  return table;
}

TextTable range_table(const Report& report) {
  TextTable table({{"site", Align::kLeft}, {"absmax"}, {"chosen range"}, {"kept %"}});
  for (size_t i = 0; i < report.ranges.size(); ++i) {
    const ActivationRange& r = report.ranges[i];
    const std::string at = fmt::format("/activation_ranges/{}/", i);
    table.add({r.site, Cell(number(r.absmax, 4), at + "absmax"),
               Cell(number(r.range, 4), at + "range"),
               r.absmax > 0 ? number(100 * r.range / r.absmax, 1) : kNone});
  }
  return table;
}

TextTable curve_table(const VariantResult& v, size_t index) {
  TextTable table({{"step"}, {"KL, nats"}, {"NLL, nats"}, {"kept", Align::kLeft}});
  if (!v.tuning) return table;
  for (size_t k = 0; k < v.tuning->eval.size(); ++k) {
    const CurvePoint& p = v.tuning->eval[k];
    const std::string at = fmt::format("/variants/{}/tuning/eval/{}/", index, k);
    table.add({Cell(std::to_string(p.step), at + "step"), Cell(number(p.kl, 6), at + "kl"),
               Cell(number(p.nll, 5), at + "nll"), k == v.tuning->best ? "best" : ""});
  }
  return table;
}

TextTable summary_table(const Report& report) {
  TextTable table({{"variant", Align::kLeft},
                   {"change", Align::kLeft},
                   {"is it real?", Align::kLeft},
                   {"recovered", Align::kLeft},
                   {"disk MB"},
                   {fmt::format("ms a {}", item_of(report))}});
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    const auto change = quality_change(report, v);
    const auto cost = cost_of(v);
    table.add({v.name,
               change                       ? to_string(*change)
               : v.name == report.reference ? "reference"
                                            : kNone,
               change ? to_string(change->significance) : kNone, recovered(report, v.name),
               megabytes(v.bytes_on_disk), cost ? number(cost->ms, 2) : kNone});
  }
  return table;
}

}  // namespace octet
