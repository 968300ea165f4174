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

Comparison comparison_from(const nlohmann::json& json) {
  Comparison c;
  c.windows = json.at("windows").get<int64_t>();
  c.positions = json.at("positions").get<int64_t>();
  c.has_reference = json.at("has_reference").get<bool>();
  const std::pair<const char*, double Comparison::*> fields[] = {
      {"perplexity", &Comparison::perplexity},
      {"perplexity_se", &Comparison::perplexity_se},
      {"ref_perplexity", &Comparison::ref_perplexity},
      {"delta_perplexity", &Comparison::delta_perplexity},
      {"delta_perplexity_se", &Comparison::delta_perplexity_se},
      {"perplexity_ratio", &Comparison::perplexity_ratio},
      {"ln_ratio", &Comparison::ln_ratio},
      {"ln_ratio_se", &Comparison::ln_ratio_se},
      {"ln_ratio_low", &Comparison::ln_ratio_low},
      {"ln_ratio_high", &Comparison::ln_ratio_high},
      {"kl_mean", &Comparison::kl_mean},
      {"kl_mean_se", &Comparison::kl_mean_se},
      {"kl_median", &Comparison::kl_median},
      {"kl_p99", &Comparison::kl_p99},
      {"kl_p999", &Comparison::kl_p999},
      {"kl_max", &Comparison::kl_max},
      {"same_top1", &Comparison::same_top1},
      {"same_top1_se", &Comparison::same_top1_se}};
  for (const auto& [name, field] : fields) c.*field = number(json, name);
  return c;
}

void fill_speed(const nlohmann::json& json, VariantResult& variant) {
  variant.bytes_on_disk = json.at("bytes_on_disk").get<uint64_t>();
  variant.weight_bytes = json.at("weight_bytes").get<uint64_t>();
  variant.peak_memory_bytes = json.at("peak_memory").get<uint64_t>();
  variant.prefill = speed(json.at("prefill_tokens_s"), json.at("prefill_ms"));
  variant.decode = speed(json.at("decode_tokens_s"), json.at("decode_ms"));
}

}  // namespace octet
