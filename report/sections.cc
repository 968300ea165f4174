#include "report/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/figures.h"
#include "report/quality.h"

namespace octet {
namespace {

using Cell = TextTable::Cell;

std::string pointer(size_t variant, const std::string& rest) {
  return fmt::format("/variants/{}/{}", variant, rest);
}

Cell megabyte_cell(size_t i, const char* field, const std::optional<uint64_t>& bytes) {
  if (!bytes) return kNone;
  return {megabytes(bytes), pointer(i, field), 1e-6};
}

TextTable size_table(const Report& report) {
  TextTable table({{"variant", Align::kLeft},
                   {"scheme", Align::kLeft},
                   {"disk MB"},
                   {"of FP16 checkpoint"},
                   {"weights MB"},
                   {"peak memory MB"}});
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    const double fp16 = static_cast<double>(report.fp16_checkpoint_bytes);
    Cell ratio = kNone;
    if (v.bytes_on_disk && fp16 > 0) {
      ratio = {number(static_cast<double>(*v.bytes_on_disk) / fp16, 3) + "x",
               pointer(i, "size_ratio_to_fp16_checkpoint")};
    }
    table.add({v.name, v.scheme, megabyte_cell(i, "bytes_on_disk", v.bytes_on_disk), ratio,
               megabyte_cell(i, "weight_bytes", v.weight_bytes),
               megabyte_cell(i, "peak_memory_bytes", v.peak_memory_bytes)});
  }
  return table;
}

Cell figure(double value, int digits, const std::string& key, double scale = 1) {
  if (!std::isfinite(value)) return kNone;
  return {number(scale * value, digits), key, scale};
}

TextTable quality_table(const Report& report) {
  TextTable table({{"variant", Align::kLeft},
                   {"perplexity"},
                   {"±se"},
                   {"Δppl %"},
                   {"95% of Δppl %"},
                   {"KL mean"},
                   {"±se"},
                   {"KL p99"},
                   {"KL p99.9"},
                   {"KL max"},
                   {"top-1 %"}});
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    if (!v.quality) continue;
    const Comparison& q = *v.quality;
    const auto key = [i](const char* field) { return pointer(i, "quality/") + field; };
    const auto percent = [](double ln_ratio) { return number(100 * std::expm1(ln_ratio), 2); };
    const std::string interval = std::isfinite(q.ln_ratio_low)
                                     ? percent(q.ln_ratio_low) + ".." + percent(q.ln_ratio_high)
                                     : kNone;
    table.add({v.name, figure(q.perplexity, 3, key("perplexity")),
               figure(q.perplexity_se, 3, key("perplexity_se")), percent(q.ln_ratio), interval,
               figure(q.kl_mean, 5, key("kl_mean")), figure(q.kl_mean_se, 5, key("kl_mean_se")),
               figure(q.kl_p99, 4, key("kl_p99")), figure(q.kl_p999, 3, key("kl_p999")),
               figure(q.kl_max, 2, key("kl_max")), figure(q.same_top1, 2, key("same_top1"), 100)});
  }
  return table;
}

// Names of the scores, in the order of their first appearance.
std::vector<std::string> metrics(const Report& report) {
  std::vector<std::string> out;
  for (const VariantResult& v : report.variants) {
    for (const TaskScore& s : v.scores) {
      if (std::find(out.begin(), out.end(), s.metric) == out.end()) out.push_back(s.metric);
    }
  }
  return out;
}

TextTable score_table(const Report& report, const std::string& metric) {
  TextTable table({{"variant", Align::kLeft},
                   {metric},
                   {"95%"},
                   {"Δ"},
                   {"95% of Δ"},
                   {"p"},
                   {"changed"},
                   {"of"}});
  const auto interval = [](double low, double high) {
    return std::isfinite(low) && std::isfinite(high) ? number(low, 2) + ".." + number(high, 2)
                                                     : std::string(kNone);
  };
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    for (size_t k = 0; k < v.scores.size(); ++k) {
      const TaskScore& s = v.scores[k];
      if (s.metric != metric) continue;
      const std::string at = pointer(i, fmt::format("scores/{}/", k));
      const bool paired = std::isfinite(s.delta);
      table.add({v.name, figure(s.value, 2, at + "value"), interval(s.low, s.high),
                 figure(s.delta, 2, at + "delta"), interval(s.delta_low, s.delta_high),
                 figure(s.p_value, 3, at + "p_value"),
                 paired ? Cell(std::to_string(s.changed), at + "changed") : Cell(kNone),
                 Cell(std::to_string(s.total), at + "total")});
    }
  }
  return table;
}

template <class Rate>
void add_ratios(std::vector<Cell>& cells, const Report& report, const VariantResult& v,
                const std::string& at, Rate&& rate) {
  for (const std::string& name : report.baselines) {
    const double base = rate(find_variant(report, name));
    if (!(base > 0)) {
      cells.emplace_back(kNone);
      continue;
    }
    cells.emplace_back(number(rate(v) / base, 2) + "x", at + "/ratio_to/" + json_key(name));
  }
}

std::vector<TextTable::Column> speed_columns(const Report& report, const std::string& rate) {
  std::vector<TextTable::Column> columns = {{"variant", Align::kLeft}, {rate}};
  for (const std::string& base : report.baselines) columns.push_back({"vs " + base});
  return columns;
}

TextTable phase_table(const Report& report, std::optional<PhaseSpeed> VariantResult::*phase,
                      const char* name) {
  std::vector<TextTable::Column> columns = speed_columns(report, "tok/s");
  for (const char* title : {"p50 ms", "p99 ms", "stddev ms", "runs"}) columns.push_back({title});
  TextTable table(columns);
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    if (!(v.*phase)) continue;
    const std::string at = pointer(i, name);
    const PhaseSpeed& speed = *(v.*phase);
    std::vector<Cell> cells = {v.name,
                               figure(speed.tokens_per_second, 1, at + "/tokens_per_second")};
    add_ratios(cells, report, v, at, [phase](const VariantResult& of) {
      return of.*phase ? (of.*phase)->tokens_per_second : 0;
    });
    const LatencyStats& ms = speed.ms;
    cells.push_back(figure(ms.p50, 2, at + "/p50_ms"));
    cells.push_back(figure(ms.p99, 2, at + "/p99_ms"));
    cells.push_back(figure(ms.stddev, 2, at + "/stddev_ms"));
    cells.emplace_back(std::to_string(ms.n), at + "/samples");
    table.add(cells);
  }
  return table;
}

TextTable task_speed_table(const Report& report) {
  const std::string item = item_of(report);
  std::vector<TextTable::Column> columns = speed_columns(report, item + "s/s");
  for (const std::string& title :
       {std::string("batch"), std::string("batch p50 ms"), "one " + item + " p50 ms",
        "one " + item + " p99 ms", std::string("stddev ms")}) {
    columns.push_back({title});
  }
  TextTable table(columns);
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    if (!v.speed) continue;
    const std::string at = pointer(i, "speed");
    std::vector<Cell> cells = {v.name,
                               figure(v.speed->items_per_second, 1, at + "/items_per_second")};
    add_ratios(cells, report, v, at,
               [](const VariantResult& of) { return of.speed ? of.speed->items_per_second : 0; });
    cells.emplace_back(std::to_string(v.speed->batch), at + "/batch");
    cells.push_back(v.speed->batch_ms.n > 0
                        ? figure(v.speed->batch_ms.p50, 2, at + "/batch_ms/p50_ms")
                        : Cell(kNone));
    const bool timed = v.speed->single_ms.n > 0;
    for (const auto& [field, value] :
         {std::pair{"p50_ms", v.speed->single_ms.p50}, std::pair{"p99_ms", v.speed->single_ms.p99},
          std::pair{"stddev_ms", v.speed->single_ms.stddev}}) {
      cells.push_back(timed ? figure(value, 2, at + "/single_ms/" + field) : Cell(kNone));
    }
    table.add(cells);
  }
  return table;
}

TextTable tuning_table(const Report& report) {
  TextTable table({{"variant", Align::kLeft},
                   {"started from", Align::kLeft},
                   {"steps"},
                   {"best at"},
                   {"recovered", Align::kLeft}});
  for (size_t i = 0; i < report.variants.size(); ++i) {
    const VariantResult& v = report.variants[i];
    if (v.tuned_from.empty()) continue;
    const bool curve = v.tuning && !v.tuning->eval.empty();
    table.add(
        {v.name, v.tuned_from,
         v.tuning ? Cell(std::to_string(v.tuning->steps), pointer(i, "tuning/steps")) : Cell(kNone),
         curve ? Cell(std::to_string(v.tuning->eval[v.tuning->best].step),
                      pointer(i, "tuning/best/step"))
               : Cell(kNone),
         recovered(report, v.name)});
  }
  return table;
}

}  // namespace

std::string recovered(const Report& report, const std::string& variant) {
  std::vector<std::string> parts;
  for (const Recovery& r : recoveries(report)) {
    if (r.variant != variant) continue;
    parts.push_back(r.percent ? fmt::format("{} {:.0f} %", r.measure, *r.percent)
                              : fmt::format("{}: no loss to recover", r.measure));
  }
  return parts.empty() ? kNone : join(parts);
}

std::vector<Section> sections(const Report& report) {
  const std::string reference = report.reference.empty() ? "no reference" : report.reference;
  std::vector<Section> all = {{"Size and memory (1 MB = 10^6 bytes)", size_table(report)}};
  for (const std::string& metric : metrics(report)) {
    const std::string unit = metric == "accuracy" ? "Accuracy in %" : metric;
    all.push_back({fmt::format("{} (Δ against {})", unit, reference), score_table(report, metric)});
  }
  const std::string forced = report.task == TaskKind::kLanguage ? "" : ", teacher-forced";
  all.push_back({fmt::format("Quality{} (Δppl and KL in nats against {})", forced, reference),
                 quality_table(report)});
  all.push_back({"Prefill (a pass)", phase_table(report, &VariantResult::prefill, "prefill")});
  all.push_back({"Decode (a step)", phase_table(report, &VariantResult::decode, "decode")});
  all.push_back({"Speed of the task", task_speed_table(report)});
  all.push_back({"Fine-tuning (share of the loss that was recovered)", tuning_table(report)});
  std::erase_if(all, [](const Section& section) { return section.table.rows() == 0; });
  return all;
}

}  // namespace octet
