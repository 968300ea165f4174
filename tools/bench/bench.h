// octet bench: prefill and decode speed of several models, each in a child process, taking turns.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/options.h"
#include "eval/latency.h"

namespace octet {

struct BenchOptions : Options {
  std::vector<std::string> models;
  std::vector<std::string> dtypes;  ///< of float models; empty: float32 and bfloat16
  int64_t prefill = 512, decode = 64, rounds = 5;
  std::string worker;  ///< set in the child: the dtype it runs
  void visit(OptionVisitor& v) override;
};

/// One model in one arithmetic.
struct BenchResult {
  std::string model, scheme;
  LatencyStats prefill_ms;      ///< of one prefill of `prefill` tokens, logits of the last one
  LatencyStats decode_ms;       ///< of one token at batch 1
  double prefill_tokens_s = 0;  ///< prefill / median latency
  double decode_tokens_s = 0;   ///< 1 / median latency
  uint64_t bytes_on_disk = 0, weight_bytes = 0, peak_memory = 0;
};

/// Float models run once per dtype, quantized ones as they are. Error when a child fails, with its
/// message.
std::vector<BenchResult> bench(const BenchOptions& options, Context& context);

/// The child: reads "go" lines from stdin, answers one JSON line each; ends at end of input.
int bench_worker(const BenchOptions& options, Context& context);

}  // namespace octet
