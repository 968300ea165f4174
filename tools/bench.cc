#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/run/hardware.h"
#include "report/table.h"
#include "tools/bench/bench.h"
#include "tools/bench/bench_json.h"
#include "tools/bench/kernel_bench.h"
#include "tools/commands.h"

namespace octet {
namespace {

// One rate of a result and the times behind it.
struct Rate {
  std::string title;
  double value = 0;
  LatencyStats ms;
};

std::vector<Rate> rates(const BenchResult& r) {
  if (r.speed) {
    return {{"items/s", r.speed->items_per_second, r.speed->batch_ms},
            {"alone/s", 1000 / r.speed->single_ms.p50, r.speed->single_ms}};
  }
  return {{"prefill tok/s", r.prefill->tokens_per_second, r.prefill->ms},
          {"decode tok/s", r.decode->tokens_per_second, r.decode->ms}};
}

// "1.72x float32, 1.31x bfloat16": against every float run of the table.
std::string ratios(const std::vector<BenchResult>& all, const BenchResult& one, size_t rate) {
  std::string text;
  for (const BenchResult& base : all) {
    if (base.scheme != "float32" && base.scheme != "bfloat16" && base.scheme != "float16") continue;
    if (&base == &one) continue;
    text += fmt::format("{}{:.2f}x {}", text.empty() ? "" : ", ",
                        rates(one)[rate].value / rates(base)[rate].value, base.scheme);
  }
  return text;
}

std::string spread(const LatencyStats& s) {
  return fmt::format("{:.1f}/{:.1f}/{:.1f}", s.p50, s.p99, s.stddev);
}

TextTable table_of(const std::vector<BenchResult>& results) {
  std::vector<TextTable::Column> columns = {{"model", Align::kLeft}, {"scheme", Align::kLeft}};
  for (const Rate& rate : rates(results.front())) {
    columns.push_back({rate.title, Align::kRight});
    columns.push_back({"p50/p99/sd ms", Align::kRight});
  }
  columns.push_back({"disk MB", Align::kRight});
  columns.push_back({"peak MB", Align::kRight});
  TextTable table(columns);
  for (const BenchResult& r : results) {
    std::vector<TextTable::Cell> cells = {r.model, r.scheme};
    for (const Rate& rate : rates(r)) {
      cells.emplace_back(fmt::format("{:.1f}", rate.value));
      cells.emplace_back(spread(rate.ms));
    }
    cells.emplace_back(fmt::format("{:.1f}", static_cast<double>(r.bytes_on_disk) / 1e6));
    cells.emplace_back(fmt::format("{:.0f}", static_cast<double>(r.peak_memory) / 1e6));
    table.add(cells);
  }
  return table;
}

std::vector<int64_t> row_counts(const std::vector<std::string>& given) {
  std::vector<int64_t> rows;
  for (const std::string& one : given) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), value);
    if (error != std::errc() || end != one.data() + one.size() || value < 1 || value > 1 << 20) {
      throw UsageError(fmt::format("--rows {}", one), "1 to 1048576", "give one number per flag");
    }
    rows.push_back(value);
  }
  return rows;
}

class BenchCommand : public Command {
 public:
  std::string name() const override { return "bench"; }
  std::string summary() const override {
    return "compare the speed of models at their task, running them in turns";
  }
  std::vector<std::string> examples() const override {
    return {"octet bench model-fp16 model-w8a8 --prefill 512 --decode 64",
            "octet bench model-fp16 --dtypes float32 --json",
            "octet bench marian-fp16 marian-w8a8 --data parallel:test.en,test.de --batch 32",
            "octet bench --kernel layer --device cuda --rounds 15"};
  }
  Options& options() override { return options_; }

  int run(const CommonOptions& common, Context& context) override {
    if (!options_.worker.empty()) return bench_worker(options_, context);
    if (!options_.kernel.empty()) {
      return bench_kernels(options_.kernel, row_counts(options_.rows), options_.rounds, common.json,
                           context);
    }
    const auto results = bench(options_, context);
    if (common.json) {
      nlohmann::json runs = nlohmann::json::array();
      for (const BenchResult& result : results) runs.push_back(to_json(result));
      fmt::print("{}\n",
                 nlohmann::json{{"prefill", options_.prefill},
                                {"decode", options_.decode},
                                {"hardware", hardware_line(context.device, context.threads)},
                                {"runs", runs}}
                     .dump());
      return 0;
    }
    fmt::print("{}\n", table_of(results).text());
    for (const BenchResult& r : results) {
      fmt::print("{} {}: {} {}; {} {}\n", r.model, r.scheme, rates(r)[0].title,
                 ratios(results, r, 0), rates(r)[1].title, ratios(results, r, 1));
    }
    fmt::print("{}\n", hardware_line(context.device, context.threads));
    return 0;
  }

 private:
  BenchOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() {
  return std::make_unique<BenchCommand>();
}

}  // namespace octet
