#include <fmt/format.h>

#include "report/figures.h"
#include "report/sections.h"
#include "report/verdict.h"

namespace octet {
namespace {

constexpr size_t kWidth = 120;

std::string verdict_text(const Report& report) {
  const Verdict v = verdict(report);
  std::string out = fmt::format("\nVerdict: {}. {}\n", printable(v.headline), printable(v.detail));
  for (const VariantVerdict& one : v.variants) {
    if (!one.recommended)
      out += fmt::format("  not {}: {}\n", printable(one.variant), printable(one.why));
  }
  for (const Recovery& r : recoveries(report)) {
    out += fmt::format("  {}: {}\n", printable(r.variant), printable(r.line));
  }
  return out + fmt::format("Rule: {}\n", v.rule);
}

}  // namespace

std::string report_text(const Report& report) {
  check_report(report);
  std::string out;
  for (const std::string& line : head_lines(report)) out += printable(line) + "\n";
  out += verdict_text(report);
  out += fmt::format("\n{}\n", printable(report.title));
  for (const auto& [label, value] :
       {std::pair{"model", &report.model}, std::pair{"hardware", &report.hardware},
        std::pair{"evaluation", &report.eval_signature}}) {
    if (!value->empty()) out += fmt::format("{}: {}\n", label, printable(*value));
  }
  out += fmt::format("\nWhat was lost, and at which cost\n{}", summary_table(report).text(kWidth));
  for (const Section& section : sections(report)) {
    out += fmt::format("\n{}\n{}", printable(section.title), section.table.text(kWidth));
  }
  if (!report.kept_layers.empty()) {
    out += fmt::format("\nKept in floating point: {} layers (listed in report.json)\n",
                       report.kept_layers.size());
  }
  return out;
}

}  // namespace octet
