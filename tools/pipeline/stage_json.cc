#include "tools/pipeline/stage_json.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace octet {
namespace {

using nlohmann::json;

double number(const json& json, const char* name) {
  const auto& value = json.at(name);
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

LatencyStats latency(const json& ms) {
  return {number(ms, "mean"), number(ms, "stddev"), number(ms, "p50"),
          number(ms, "p99"),  number(ms, "min"),    ms.at("n").get<int64_t>()};
}

CurvePoint point(const json& json) {
  CurvePoint p;
  p.step = json.at("step").get<int64_t>();
  p.loss = number(json, "loss"), p.nll = number(json, "nll"), p.kl = number(json, "kl");
  if (json.contains("lr")) {
    p.rate = number(json, "lr"), p.gradient_norm = number(json, "gradient_norm");
  }
  return p;
}

}  // namespace

void fill_speed(const json& json, VariantResult& variant) {
  variant.bytes_on_disk = json.at("bytes_on_disk").get<uint64_t>();
  variant.weight_bytes = json.at("weight_bytes").get<uint64_t>();
  variant.peak_memory_bytes = json.at("peak_memory").get<uint64_t>();
  if (json.contains("prefill_ms")) {
    variant.prefill = {number(json, "prefill_tokens_s"), latency(json.at("prefill_ms"))};
    variant.decode = {number(json, "decode_tokens_s"), latency(json.at("decode_ms"))};
  }
  if (json.contains("batch_ms")) {
    variant.speed = {number(json, "items_s"), json.at("batch").get<int64_t>(),
                     latency(json.at("batch_ms")), latency(json.at("single_ms"))};
  }
}

TrainResult train_result_from(const json& json) {
  TrainResult result;
  for (const auto& p : json.at("train")) result.train.push_back(point(p));
  for (const auto& p : json.at("eval")) result.eval.push_back(point(p));
  const auto best = json.at("best").at("step").get<int64_t>();
  for (size_t i = 0; i < result.eval.size(); ++i) {
    if (result.eval[i].step == best) result.best = i;
  }
  result.steps = json.at("steps").get<int64_t>();
  result.stopped_early = json.at("stopped_early").get<bool>();
  return result;
}

}  // namespace octet
