#include "tools/bench/bench_json.h"

#include <nlohmann/json.hpp>

namespace octet {
namespace {

nlohmann::json latency(const LatencyStats& s) {
  return {{"mean", s.mean}, {"stddev", s.stddev}, {"p50", s.p50},
          {"p99", s.p99},   {"min", s.min},       {"n", s.n}};
}

}  // namespace

nlohmann::json to_json(const BenchResult& r) {
  nlohmann::json json = {{"model", r.model},
                         {"scheme", r.scheme},
                         {"bytes_on_disk", r.bytes_on_disk},
                         {"weight_bytes", r.weight_bytes},
                         {"peak_memory", r.peak_memory}};
  if (r.prefill) {
    json["prefill_ms"] = latency(r.prefill->ms);
    json["prefill_tokens_s"] = r.prefill->tokens_per_second;
  }
  if (r.decode) {
    json["decode_ms"] = latency(r.decode->ms);
    json["decode_tokens_s"] = r.decode->tokens_per_second;
  }
  if (r.speed) {
    json["batch"] = r.speed->batch;
    json["batch_ms"] = latency(r.speed->batch_ms);
    json["single_ms"] = latency(r.speed->single_ms);
    json["items_s"] = r.speed->items_per_second;
  }
  return json;
}

}  // namespace octet
