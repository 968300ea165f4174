#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/hash.h"
#include "report/figures.h"
#include "report/html/assets.h"
#include "report/html/parts.h"

namespace octet {
namespace {

using html::element;
using html::Markup;
using html::raw;

// A script of ours as the page holds it: without carriage returns, which browsers drop, and
// without the note where to fetch a source map.
std::string clean(std::string_view script) {
  std::string out(script);
  std::erase(out, '\r');
  const size_t map = out.rfind("\n//# sourceMappingURL=");
  if (map != std::string::npos) out.erase(map);
  return out;
}

std::string base64(const std::string& hex) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 6) {  // 3 bytes
    const std::string part = hex.substr(i, 6);
    const auto bits =
        static_cast<uint32_t>(std::stoul(part + std::string(6 - part.size(), '0'), nullptr, 16));
    for (size_t d = 0; d < 4; ++d) {
      out += d <= part.size() / 2 ? kDigits[bits >> (18 - 6 * d) & 63U] : '=';
    }
  }
  return out;
}

// Nothing is fetched, and only these scripts run, whatever the data says.
Markup policy(const std::vector<std::string>& scripts) {
  std::string sources;
  for (const std::string& script : scripts) sources += " 'sha256-" + base64(sha256(script)) + "'";
  if (sources.empty()) sources = " 'none'";
  const std::string value =
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
      "script-src" +
      sources;
  return raw("<meta http-equiv=\"Content-Security-Policy\" content=\"" + value + "\">\n");
}

}  // namespace

std::string report_html(const Report& report) {
  const nlohmann::ordered_json json = report_json(report);
  const html::Page page{report, json, !html::chart_js().empty()};
  std::vector<std::string> scripts;
  if (page.charts) scripts = {clean(html::chart_js()), clean(html::page_js())};
  Markup head = raw("<meta charset=\"utf-8\">\n") + policy(scripts) +
                raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                    "<meta name=\"color-scheme\" content=\"light dark\">\n") +
                element("title", report.title) + element("style", raw(html::page_css())) +
                raw("<noscript><style>.plot{display:none}</style></noscript>\n");
  const Markup parts[] = {html::losses_part(page), html::charts_part(page),
                          html::figures_part(page), html::examples_part(page)};
  Markup body = html::head_part(page);
  for (const Markup& part : parts) body += part;
  body = element("main", body) + html::foot_part(page);
  if (page.charts) {
    body += html::data_island(
        "chart-data",
        html::chart_data(report).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    for (const std::string& script : scripts) body += element("script", raw(script));
  }
  return "<!doctype html>\n" +
         element("html", {{"lang", "en"}}, element("head", head) + element("body", body)).html +
         "\n";
}

}  // namespace octet
