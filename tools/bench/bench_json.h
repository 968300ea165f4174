#pragma once
#include <nlohmann/json_fwd.hpp>

#include "tools/bench/bench.h"

namespace octet {
/// Every figure of a result by its name.
nlohmann::json to_json(const BenchResult& result);
}  // namespace octet
