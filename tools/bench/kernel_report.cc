#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/run/device.h"
#include "models/run/hardware.h"
#include "report/table.h"
#include "tools/bench/kernel_bench.h"

namespace octet {
namespace {

using nlohmann::json;

// Seconds below which no kernel gets on this card: bytes at copy speed or operations at the speed
// of the tensor cores, INT8 counted as twice FP16's.
struct Bound {
  double seconds = 0;
  bool memory = true;
};

Bound bound_of(const KernelCase& what, const CardSpeed& card) {
  const double bytes = what.bytes / card.copy;
  const double operations =
      what.operations / (what.kernel.starts_with("w8a8") ? 2 * card.fp16 : card.fp16);
  return {std::max(bytes, operations), bytes >= operations};
}

json to_json(const KernelTiming& t, const CardSpeed& card) {
  const Bound bound = bound_of(t.what, card);
  const double seconds = 1e-6 * t.us.p50;
  json out = {{"kernel", t.what.kernel},
              {"shape", t.what.shape},
              {"m", t.what.m},
              {"us_p50", t.us.p50},
              {"us_p99", t.us.p99},
              {"tops", 1e-12 * t.what.operations / seconds},
              {"bytes_per_second", t.what.bytes / seconds},
              {"bound", bound.memory ? "memory" : "arithmetic"},
              {"bound_us", 1e6 * bound.seconds},
              {"share_of_bound", bound.seconds / seconds}};
  if (t.base.n > 0) {
    out["fp16_us_p50"] = t.base.p50;
    out["fp16_us_p99"] = t.base.p99;
    out["ratio_to_fp16"] = t.base.p50 / t.us.p50;
  }
  return out;
}

TextTable table_of(const json& timings) {
  TextTable table({{"kernel", Align::kLeft},
                   {"N x K", Align::kLeft},
                   {"M"},
                   {"us p50"},
                   {"p99"},
                   {"TOPS"},
                   {"TB/s"},
                   {"bound us"},
                   {"bound by", Align::kLeft},
                   {"% of it"},
                   {"FP16 us"},
                   {"ratio"}});
  for (const json& t : timings) {
    const bool has_base = t.contains("ratio_to_fp16");
    table.add({t["kernel"].get<std::string>(), t["shape"].get<std::string>(),
               fmt::format("{}", t["m"].get<int64_t>()),
               fmt::format("{:.1f}", t["us_p50"].get<double>()),
               fmt::format("{:.1f}", t["us_p99"].get<double>()),
               fmt::format("{:.0f}", t["tops"].get<double>()),
               fmt::format("{:.2f}", 1e-12 * t["bytes_per_second"].get<double>()),
               fmt::format("{:.1f}", t["bound_us"].get<double>()), t["bound"].get<std::string>(),
               fmt::format("{:.0f}", 100 * t["share_of_bound"].get<double>()),
               has_base ? fmt::format("{:.1f}", t["fp16_us_p50"].get<double>()) : "",
               has_base ? fmt::format("{:.2f}x", t["ratio_to_fp16"].get<double>()) : ""});
  }
  return table;
}

}  // namespace

int bench_kernels(const std::string& name, const std::vector<int64_t>& rows, int64_t rounds,
                  bool as_json, Context& context) {
  const at::Device device = open_device(context.device);
  if (!device.is_cuda()) {
    throw UsageError(fmt::format("--kernel with --device {}", context.device), "--device cuda",
                     "kernels are measured on a GPU");
  }
  const CardSpeed card = measure_card();
  json timings = json::array();
  const std::vector<KernelCase> cases = kernel_cases(name, rows, context);
  Progress progress(context.log, "kernels", static_cast<int64_t>(cases.size()));
  for (const KernelCase& what : cases) {
    context.stop.check("run the same command again");
    timings.push_back(to_json(time_kernel(what, rounds), card));
    progress.advance();
  }
  const std::string hardware = hardware_line(context.device, context.threads);
  if (as_json) {
    fmt::print("{}\n", json{{"hardware", hardware},
                            {"copy_bytes_per_second", card.copy},
                            {"fp16_tops", 1e-12 * card.fp16},
                            {"rounds", rounds},
                            {"kernels", timings}}
                           .dump());
    return 0;
  }
  fmt::print(
      "{}\n{}\ncopy {:.2f} TB/s, FP16 GEMM {:.0f} TFLOP/s; medians of {} turns beside torch's "
      "FP16, weights not in the cache\n",
      table_of(timings).text(200), hardware, 1e-12 * card.copy, 1e-12 * card.fp16, rounds);
  return 0;
}

}  // namespace octet
