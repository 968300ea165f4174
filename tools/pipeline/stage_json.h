// What bench.json of a run holds, read back.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "tools/report/report.h"

namespace octet {

/// Sizes, memory, prefill and decode of a variant from bench's to_json(BenchResult).
void fill_speed(const nlohmann::json& json, VariantResult& variant);

}  // namespace octet
