// What a bench worker times: one round of its model's task.
#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "quant/load_model.h"
#include "tools/bench/bench.h"

namespace octet {

class Workload {
 public:
  virtual ~Workload() = default;
  virtual void warm_up() = 0;
  /// Milliseconds by name. Language models: "prefill_ms", "decode_ms" (one a token). Other tasks:
  /// "batch_ms" (one a batch), "single_ms" (one an item alone), and "items" in all batches.
  virtual nlohmann::json round() = 0;
};

/// By the model's task. UsageError where it needs data that the options do not name.
std::unique_ptr<Workload> make_workload(const SourceModel& source, LoadedModel& model,
                                        const BenchOptions& options, Context& context);

}  // namespace octet
