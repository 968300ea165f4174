#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "eval/memory.h"
#include "models/parse_dtype.h"
#include "models/source_model.h"
#include "quant/load_model.h"
#include "tools/bench/bench.h"
#include "tools/bench/workload.h"

namespace octet {

int bench_worker(const BenchOptions& options, Context& context) {
  const at::NoGradGuard no_gradients;
  const SourceModel source(options.models.front());
  LoadedModel model =
      load_model(source, {parse_dtype(options.worker), context.device, context.gemm_file});
  const auto workload = make_workload(source, model, options, context);
  workload->warm_up();
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    nlohmann::json round = workload->round();
    round["scheme"] = model.scheme;
    round["weight_bytes"] = model.executor->weight_bytes();
    round["peak_memory"] = memory_use().peak;
    fmt::print("{}\n", round.dump());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace octet
