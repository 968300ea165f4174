#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/device.h"
#include "tools/bench/bench.h"
#include "tools/bench/bench_json.h"
#include "tools/commands.h"
#include "tools/report/table.h"

namespace octet {
namespace {

// "1.72x float32, 1.31x bfloat16": against every float run of the table.
std::string ratios(const std::vector<BenchResult>& all, const BenchResult& one,
                   double BenchResult::*figure) {
  std::string text;
  for (const BenchResult& base : all) {
    if (base.scheme != "float32" && base.scheme != "bfloat16" && base.scheme != "float16") continue;
    if (&base == &one) continue;
    text += fmt::format("{}{:.2f}x {}", text.empty() ? "" : ", ", one.*figure / (base.*figure),
                        base.scheme);
  }
  return text;
}

class BenchCommand : public Command {
 public:
  std::string name() const override { return "bench"; }
  std::string summary() const override {
    return "prefill and decode speed of several models, taking turns";
  }
  std::vector<std::string> examples() const override {
    return {"octet bench model-fp16 model-w8a8 --prefill 512 --decode 64",
            "octet bench model-fp16 --dtypes float32 --json"};
  }
  Options& options() override { return options_; }

  int run(const CommonOptions& common, Context& context) override {
    if (!options_.worker.empty()) return bench_worker(options_, context);
    const auto results = bench(options_, context);
    if (common.json) {
      nlohmann::json runs = nlohmann::json::array();
      for (const BenchResult& result : results) runs.push_back(to_json(result));
      fmt::print(
          "{}\n",
          nlohmann::json{{"prefill", options_.prefill},
                         {"decode", options_.decode},
                         {"hardware", hardware_line(open_device(context.device), context.threads)},
                         {"runs", runs}}
              .dump());
      return 0;
    }
    TextTable table(std::vector<TextTable::Column>{{"model", Align::kLeft},
                                                   {"scheme", Align::kLeft},
                                                   {"prefill tok/s", Align::kRight},
                                                   {"p50/p99/sd ms", Align::kRight},
                                                   {"decode tok/s", Align::kRight},
                                                   {"p50/p99/sd ms", Align::kRight},
                                                   {"disk MB", Align::kRight},
                                                   {"peak MB", Align::kRight}});
    for (const BenchResult& r : results) {
      table.add({r.model, r.scheme, fmt::format("{:.1f}", r.prefill_tokens_s), spread(r.prefill_ms),
                 fmt::format("{:.1f}", r.decode_tokens_s), spread(r.decode_ms),
                 fmt::format("{:.1f}", static_cast<double>(r.bytes_on_disk) / 1e6),
                 fmt::format("{:.0f}", static_cast<double>(r.peak_memory) / 1e6)});
    }
    fmt::print("{}\n", table.text());
    for (const BenchResult& r : results) {
      fmt::print("{} {}: prefill {}; decode {}\n", r.model, r.scheme,
                 ratios(results, r, &BenchResult::prefill_tokens_s),
                 ratios(results, r, &BenchResult::decode_tokens_s));
    }
    fmt::print("{}\n", hardware_line(open_device(context.device), context.threads));
    return 0;
  }

 private:
  static std::string spread(const LatencyStats& s) {
    return fmt::format("{:.1f}/{:.1f}/{:.1f}", s.p50, s.p99, s.stddev);
  }
  BenchOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() {
  return std::make_unique<BenchCommand>();
}

}  // namespace octet
