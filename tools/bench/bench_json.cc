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
  return {{"model", r.model},
          {"scheme", r.scheme},
          {"prefill_ms", latency(r.prefill_ms)},
          {"decode_ms", latency(r.decode_ms)},
          {"prefill_tokens_s", r.prefill_tokens_s},
          {"decode_tokens_s", r.decode_tokens_s},
          {"bytes_on_disk", r.bytes_on_disk},
          {"weight_bytes", r.weight_bytes},
          {"peak_memory", r.peak_memory}};
}

}  // namespace octet
