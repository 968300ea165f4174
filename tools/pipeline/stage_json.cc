#include "tools/pipeline/stage_json.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace octet {
namespace {

double number(const nlohmann::json& json, const char* name) {
  const auto& value = json.at(name);
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

PhaseSpeed speed(const nlohmann::json& rate, const nlohmann::json& ms) {
  return {rate.get<double>(),
          {number(ms, "mean"), number(ms, "stddev"), number(ms, "p50"), number(ms, "p99"),
           number(ms, "min"), ms.at("n").get<int64_t>()}};
}

}  // namespace

void fill_speed(const nlohmann::json& json, VariantResult& variant) {
  variant.bytes_on_disk = json.at("bytes_on_disk").get<uint64_t>();
  variant.weight_bytes = json.at("weight_bytes").get<uint64_t>();
  variant.peak_memory_bytes = json.at("peak_memory").get<uint64_t>();
  variant.prefill = speed(json.at("prefill_tokens_s"), json.at("prefill_ms"));
  variant.decode = speed(json.at("decode_tokens_s"), json.at("decode_ms"));
}

}  // namespace octet
