#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/version.h"
#include "report/figures.h"
#include "report/html/parts.h"

namespace octet::html {
namespace {

Markup kept(const Report& report) {
  if (report.kept_layers.empty()) return {};
  Markup items;
  for (const std::string& layer : report.kept_layers) items += element("li", layer);
  return element("details", element("summary", fmt::format("Kept in floating point: {}",
                                                           report.kept_layers.size())) +
                                element("ul", {{"class", "kept"}}, items));
}

Markup provenance(const Report& report) {
  Markup rows;
  const nlohmann::json provenance = provenance_of(report);
  for (const auto& [key, value] : provenance.items()) {
    const std::string shown =
        value.is_string() ? value.get<std::string>()
                          : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    rows += element("tr", element("th", {{"scope", "row"}}, key) + element("td", shown));
  }
  if (rows.html.empty()) return {};
  return element(
      "div",
      {{"class", "scroll"}, {"role", "region"}, {"aria-label", "Provenance"}, {"tabindex", "0"}},
      element("table", {{"class", "provenance"}},
              element("caption", "Provenance") + element("tbody", rows)));
}

}  // namespace

Markup foot_part(const Page& page) {
  const Report& report = page.report;
  Markup out = element("h2", {{"id", "provenance"}}, "How this was made");
  if (!report.commands.empty()) {
    out += element("p", report.commands.size() == 1 ? "The command that repeats it:"
                                                    : "The commands that repeat it:");
    std::string commands;
    for (const std::string& command : report.commands) {
      if (!commands.empty()) commands += '\n';
      commands += text(command).html;
    }
    out += element("pre", {{"tabindex", "0"}, {"aria-label", "Commands"}},
                   element("code", Markup{commands}));
  }
  out += kept(report) + provenance(report);
  out += element("p", {{"class", "made"}},
                 fmt::format("Written by octet {}. Everything on this page is in report.json, too.",
                             kVersion));
  return element("footer", {{"aria-labelledby", "provenance"}}, out);
}

}  // namespace octet::html
