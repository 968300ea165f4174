// What eval.json and bench.json of a run hold, read back.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "eval/statistics.h"
#include "tools/report/report.h"

namespace octet {

/// The inverse of eval's to_json(Comparison); null becomes NaN.
Comparison comparison_from(const nlohmann::json& json);

/// Sizes, memory, prefill and decode of a variant from bench's to_json(BenchResult).
void fill_speed(const nlohmann::json& json, VariantResult& variant);

}  // namespace octet
