// octet bench: speed of several models at their task, each in a child process, taking turns.
#pragma once
#include <cstdint>
#include <optional>
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
  std::string data;                           ///< sentences of translation models
  int64_t items = 128, batch = 32, beam = 4;  ///< of translation and vision models
  std::string kernel;                         ///< kernels in place of models: kernel_cases()
  std::vector<std::string> rows;              ///< M of those
  std::string worker;                         ///< set in the child: the dtype it runs
  void visit(OptionVisitor& v) override;
};

/// One model in one arithmetic. Language models have prefill (of `prefill` tokens, logits of the
/// last one) and decode (one token at batch 1), the others the speed of their task; rates are of
/// the median latency.
struct BenchResult {
  std::string model, scheme;
  std::optional<PhaseSpeed> prefill, decode;
  std::optional<TaskSpeed> speed;
  uint64_t bytes_on_disk = 0, weight_bytes = 0, peak_memory = 0;
};

/// Float models run once per dtype, quantized ones as they are. Error when a child fails, with its
/// message.
std::vector<BenchResult> bench(const BenchOptions& options, Context& context);

/// The child: reads "go" lines from stdin, answers one JSON line each; ends at end of input.
int bench_worker(const BenchOptions& options, Context& context);

}  // namespace octet
