#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "report/figures.h"
#include "report/html/parts.h"
#include "report/quality.h"
#include "report/sections.h"

namespace octet::html {
namespace {

// The chart (if there can be one) and its table.
Markup chart(const Page& page, const Json& data, const Markup& tables) {
  const std::string id = data.at("id"), title = data.at("title"), note = data.at("note");
  Markup out = element("figcaption", element("h3", title) + element("p", note));
  if (page.charts) {
    out +=
        element("div", {{"class", "plot " + data.at("kind").get<std::string>()}},
                element("canvas",
                        {{"id", "chart-" + id},
                         {"role", "img"},
                         {"aria-label", title + ". " + note + " The figures follow as a table."}},
                        ""));
    out += element("details", element("summary", "The figures as a table") + tables);
  } else {
    out += tables;
  }
  return element("figure", {{"id", "figure-" + id}}, out);
}

TextTable tradeoff_table(const Report& report) {
  TextTable out({{"variant", Align::kLeft},
                 {"disk MB"},
                 {fmt::format("ms a {}", item_of(report))},
                 {"change"},
                 {"95 % low"},
                 {"95 % high"},
                 {"unit", Align::kLeft},
                 {"KL, nats"}});
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    const std::string at = fmt::format("/variants/{}/", i);
    const auto change = quality_change(report, v);
    const auto cost = cost_of(v);
    const auto signed_cell = [&](double value, const char* field) {
      return std::isfinite(value)
                 ? TextTable::Cell(fmt::format("{:+.3f}", value), at + "change/" + field)
                 : TextTable::Cell(kNone);
    };
    const double nan = std::numeric_limits<double>::quiet_NaN();
    out.add(
        {v.name,
         v.bytes_on_disk ? TextTable::Cell(megabytes(v.bytes_on_disk), at + "bytes_on_disk", 1e-6)
                         : TextTable::Cell(kNone),
         cost ? TextTable::Cell(number(cost->ms, 3), at + "ms_an_item") : TextTable::Cell(kNone),
         signed_cell(change ? change->change : nan, "change"),
         signed_cell(change ? change->low : nan, "low"),
         signed_cell(change ? change->high : nan, "high"),
         change ? change->measure + (change->unit.empty() ? "" : ", " + change->unit) : kNone,
         v.quality ? TextTable::Cell(brief(v.quality->kl_mean), at + "quality/kl_mean")
                   : TextTable::Cell(kNone)});
  }
  return out;
}

Markup tables_of(const Page& page, const std::string& id) {
  const Report& report = page.report;
  if (id == "size" || id == "latency") {
    return table(page, tradeoff_table(report), "Quality, size and latency");
  }
  if (id == "layers") return table(page, layer_table(report), "Relative output error of each site");
  if (id == "ranges") return table(page, range_table(report), "Activation ranges");
  Markup out;
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    if (v.tuning && !v.tuning->eval.empty()) {
      out += table(page, curve_table(v, i), v.name + " on unseen data");
    }
  }
  return out;
}

}  // namespace

Markup charts_part(const Page& page) {
  const Json data = chart_data(page.report);
  Markup figures;
  for (const Json& one : data.at("charts")) {
    figures += chart(page, one, tables_of(page, one.at("id")));
  }
  if (figures.html.empty()) return {};
  Markup out = element("h2", {{"id", "charts"}}, "Charts");
  if (!page.charts) {
    out += element("p", "This octet was built without Chart.js: every chart is its table.");
  }
  return element("section", {{"aria-labelledby", "charts"}},
                 out + element("div", {{"class", "figures"}}, figures));
}

Markup figures_part(const Page& page) {
  Markup out = element("h2", {{"id", "figures"}}, "All figures");
  for (const Section& section : sections(page.report)) {
    out += table(page, section.table, section.title);
  }
  return element("section", {{"aria-labelledby", "figures"}}, out);
}

}  // namespace octet::html
