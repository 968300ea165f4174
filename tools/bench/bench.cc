#include "tools/bench/bench.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/open.h"
#include "tools/bench/worker_process.h"

namespace octet {
namespace {

struct Contestant {
  std::string model, dtype;
  std::unique_ptr<WorkerProcess> process;
  std::vector<double> prefill_ms, decode_ms;
  nlohmann::json last;
};

std::vector<Contestant> contestants(const BenchOptions& options) {
  std::vector<Contestant> all;
  for (const std::string& model : options.models) {
    std::vector<std::string> dtypes = {"float32"};
    if (!open_config(model).quantized) {
      dtypes =
          options.dtypes.empty() ? std::vector<std::string>{"float32", "bfloat16"} : options.dtypes;
    }
    for (const std::string& dtype : dtypes) all.push_back({model, dtype, nullptr, {}, {}, {}});
  }
  return all;
}

void check(const BenchOptions& options) {
  if (options.prefill < 1 || options.decode < 1 || options.rounds < 1) {
    throw UsageError(fmt::format("--prefill {} --decode {} --rounds {}", options.prefill,
                                 options.decode, options.rounds),
                     "numbers of at least 1", "see octet bench --help");
  }
}

BenchResult result_of(const Contestant& contestant, int64_t prefill) {
  BenchResult result;
  result.model = contestant.model;
  result.scheme = contestant.last.at("scheme").get<std::string>();
  result.prefill_ms = latency_stats(contestant.prefill_ms);
  result.decode_ms = latency_stats(contestant.decode_ms);
  result.prefill_tokens_s = 1000.0 * static_cast<double>(prefill) / result.prefill_ms.p50;
  result.decode_tokens_s = 1000.0 / result.decode_ms.p50;
  result.bytes_on_disk = weight_file_bytes(contestant.model);
  result.weight_bytes = contestant.last.at("weight_bytes").get<uint64_t>();
  result.peak_memory = contestant.last.at("peak_memory").get<uint64_t>();
  return result;
}

}  // namespace

void BenchOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "models to compare; float ones run in each of --dtypes", models);
  v.field("dtypes", "arithmetic of float models, one value a flag (default: float32 and bfloat16)",
          dtypes);
  v.field("prefill", "tokens of the prompt", prefill);
  v.field("decode", "tokens decoded one by one behind it", decode);
  v.field("rounds", "turns of each model", rounds);
  v.field("worker", "used between octet's own processes", worker);
}

std::vector<BenchResult> bench(const BenchOptions& options, Context& context) {
  check(options);
  std::vector<Contestant> all = contestants(options);
  Progress progress(context.log, "bench", static_cast<int64_t>(all.size()) * (options.rounds + 1));
  for (Contestant& one : all) {
    one.process = std::make_unique<WorkerProcess>(std::vector<std::string>{
        "bench", one.model, "--worker", one.dtype, "--prefill", fmt::format("{}", options.prefill),
        "--decode", fmt::format("{}", options.decode), "--threads",
        fmt::format("{}", context.threads), "--device", context.device, "--quiet"});
    one.process->receive();  // loaded and warm
    progress.advance();
  }
  for (int64_t round = 0; round < options.rounds; ++round) {
    for (Contestant& one : all) {
      context.stop.check("run the same command again");
      one.process->send("go");
      one.last = nlohmann::json::parse(one.process->receive());
      one.prefill_ms.push_back(one.last.at("prefill_ms").get<double>());
      for (const double ms : one.last.at("decode_ms").get<std::vector<double>>())
        one.decode_ms.push_back(ms);
      progress.advance();
    }
  }
  std::vector<BenchResult> results;
  for (const Contestant& one : all) results.push_back(result_of(one, options.prefill));
  return results;
}

}  // namespace octet
