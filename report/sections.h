// The report's tables, as all of its forms show them.
#pragma once
#include <string>
#include <vector>

#include "report/report.h"
#include "report/table.h"

namespace octet {

struct Section {
  std::string title;
  TextTable table;
};

/// The tables that have a row, every title with its unit.
std::vector<Section> sections(const Report& report);

/// One line a variant: what it lost, whether that is real, what came back, what it costs.
TextTable summary_table(const Report& report);

/// The recovered losses of one variant: "KL 62 %, BLEU: noise"; kNone if it was not tuned.
std::string recovered(const Report& report, const std::string& variant);

/// For the page, beside its charts.
TextTable layer_table(const Report& report);
TextTable range_table(const Report& report);
TextTable curve_table(const VariantResult& variant, size_t index);

}  // namespace octet
