#include "tools/bench/bench.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/source_model.h"
#include "tools/bench/worker_process.h"

namespace octet {
namespace {

struct Contestant {
  std::string model, dtype;
  std::unique_ptr<WorkerProcess> process;
  std::map<std::string, std::vector<double>> series;  // milliseconds by name
  nlohmann::json last;

  void receive() {
    last = nlohmann::json::parse(process->receive());
    for (const auto& [name, value] : last.items()) {
      if (!name.ends_with("_ms")) continue;
      std::vector<double>& all = series[name];
      if (value.is_number()) all.push_back(value.get<double>());
      if (!value.is_array()) continue;
      for (const auto& ms : value) all.push_back(ms.get<double>());
    }
  }
};

std::vector<Contestant> contestants(const BenchOptions& options) {
  std::vector<Contestant> all;
  for (const std::string& model : options.models) {
    std::vector<std::string> dtypes = {"float32"};
    if (!SourceModel(model).config().quantized) {
      dtypes =
          options.dtypes.empty() ? std::vector<std::string>{"float32", "bfloat16"} : options.dtypes;
    }
    for (const std::string& dtype : dtypes) all.push_back({model, dtype, nullptr, {}, {}});
  }
  return all;
}

void check(const BenchOptions& options) {
  if (options.models.empty()) {
    throw UsageError("no MODEL and no --kernel", "models to compare, or --kernel all",
                     "see octet bench --help");
  }
  for (const auto& [name, value] :
       {std::pair{"prefill", options.prefill}, std::pair{"decode", options.decode},
        std::pair{"rounds", options.rounds}, std::pair{"items", options.items},
        std::pair{"batch", options.batch}, std::pair{"beam", options.beam}}) {
    if (value >= 1) continue;
    throw UsageError(fmt::format("--{} {}", name, value), "a number of at least 1",
                     "see octet bench --help");
  }
}

PhaseSpeed phase(const std::vector<double>& ms, int64_t tokens) {
  PhaseSpeed speed;
  speed.ms = latency_stats(ms);
  speed.tokens_per_second = 1000.0 * static_cast<double>(tokens) / speed.ms.p50;
  return speed;
}

TaskSpeed task_speed(const Contestant& contestant, const BenchOptions& options) {
  TaskSpeed speed;
  speed.batch = options.batch;
  speed.batch_ms = latency_stats(contestant.series.at("batch_ms"));
  speed.single_ms = latency_stats(contestant.series.at("single_ms"));
  const double seconds = speed.batch_ms.mean * static_cast<double>(speed.batch_ms.n) / 1000;
  const auto items = contestant.last.at("items").get<int64_t>() * options.rounds;
  speed.items_per_second = static_cast<double>(items) / seconds;
  return speed;
}

BenchResult result_of(const Contestant& contestant, const BenchOptions& options) {
  BenchResult result;
  result.model = contestant.model;
  result.scheme = contestant.last.at("scheme").get<std::string>();
  if (contestant.series.contains("prefill_ms")) {
    result.prefill = phase(contestant.series.at("prefill_ms"), options.prefill);
    result.decode = phase(contestant.series.at("decode_ms"), 1);
  } else {
    result.speed = task_speed(contestant, options);
  }
  result.bytes_on_disk = weight_file_bytes(contestant.model);
  result.weight_bytes = contestant.last.at("weight_bytes").get<uint64_t>();
  result.peak_memory = contestant.last.at("peak_memory").get<uint64_t>();
  return result;
}

// What the child is told: the options with its own model and dtype.
std::vector<std::string> worker_arguments(const Contestant& one, BenchOptions options,
                                          const Context& context) {
  options.models = {one.model};
  options.dtypes.clear();
  options.worker = one.dtype;
  std::vector<std::string> arguments = {
      "bench",    "--threads",    fmt::format("{}", context.threads),
      "--device", context.device, "--quiet"};
  for (const std::string& argument : to_arguments(options, BenchOptions())) {
    arguments.push_back(argument);
  }
  return arguments;
}

}  // namespace

void BenchOptions::visit(OptionVisitor& v) {
  v.positional("[MODEL]", "models to compare; float models run once in each of --dtypes", models);
  v.field(
      "dtypes",
      "dtype to run float models in: float32, bfloat16 or float16; repeatable (default: float32 "
      "and bfloat16)",
      dtypes);
  v.field("prefill", "tokens in the prompt of a language model", prefill);
  v.field("decode", "tokens that a language model then decodes one by one", decode);
  v.field("data", "sentences for translation models: parallel:SRC,TGT or gettext:LANG[:DIR]", data);
  v.field("items", "sentences or images in one round", items);
  v.field("batch", "sentences or images in a batch", batch);
  v.field("beam", "beam size of the translation search, 1 for greedy", beam);
  v.field("rounds", "rounds of each model; the models take turns", rounds);
  v.field("kernel", "time GPU kernels instead of models: all, gemm, layer, weight-only or rows",
          kernel);
  v.field("rows", "rows (tokens) of the kernels' input; repeatable (default: 1 to 4096)", rows);
  v.field("worker", "internal: the dtype that a child process of octet bench runs", worker);
}

std::vector<BenchResult> bench(const BenchOptions& options, Context& context) {
  check(options);
  std::vector<Contestant> all = contestants(options);
  Progress progress(context.log, "bench", static_cast<int64_t>(all.size()) * (options.rounds + 1));
  for (Contestant& one : all) {
    one.process = std::make_unique<WorkerProcess>(worker_arguments(one, options, context));
    one.process->receive();  // loaded and warm
    progress.advance();
  }
  for (int64_t round = 0; round < options.rounds; ++round) {
    for (Contestant& one : all) {
      context.stop.check("run the same command again");
      one.process->send("go");
      one.receive();
      progress.advance();
    }
  }
  std::vector<BenchResult> results;
  for (const Contestant& one : all) results.push_back(result_of(one, options));
  return results;
}

}  // namespace octet
