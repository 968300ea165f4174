#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "report/figures.h"
#include "report/sections.h"
#include "report/verdict.h"

namespace octet {
namespace {

std::string verdict_markdown(const Report& report) {
  const Verdict v = verdict(report);
  std::string out = "\n## Verdict\n\n" + markdown_escape(v.headline + ". " + v.detail) + "\n\n";
  for (const VariantVerdict& one : v.variants) {
    out += fmt::format("- {}{}: {}\n", markdown_escape(one.variant),
                       one.recommended ? " (recommended)" : "", markdown_escape(one.why));
  }
  for (const Recovery& r : recoveries(report)) {
    out +=
        fmt::format("- Fine-tuning, {}: {}\n", markdown_escape(r.variant), markdown_escape(r.line));
  }
  return out + "\nRule: " + markdown_escape(v.rule) + "\n\n" + summary_table(report).markdown();
}

}  // namespace

std::string report_markdown(const Report& report) {
  check_report(report);
  std::string out;
  for (const std::string& line : head_lines(report)) out += "- " + markdown_escape(line) + "\n";
  out += "\n# " + markdown_escape(report.title) + "\n\n";
  for (const auto& [label, value] :
       {std::pair{"Model", &report.model}, std::pair{"Hardware", &report.hardware},
        std::pair{"Evaluation", &report.eval_signature}}) {
    if (!value->empty()) out += fmt::format("- {}: {}\n", label, markdown_escape(*value));
  }
  out += verdict_markdown(report);
  for (const Section& section : sections(report)) {
    out += "\n## " + markdown_escape(section.title) + "\n\n" + section.table.markdown();
  }
  if (!report.kept_layers.empty()) out += "\n## Kept in floating point\n\n";
  for (const std::string& layer : report.kept_layers) out += "- " + markdown_escape(layer) + "\n";
  if (!report.commands.empty()) out += "\n## Commands\n\n";
  for (const std::string& command : report.commands) out += "    " + printable(command) + "\n";
  const nlohmann::json provenance = provenance_of(report);
  out += "\n## Provenance\n";
  for (const auto& [key, value] : provenance.items()) {
    out += fmt::format("\n- {}: {}", markdown_escape(key), markdown_escape(value.dump()));
  }
  return out + "\n";
}

}  // namespace octet
