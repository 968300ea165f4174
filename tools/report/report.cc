#include "tools/report/report.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "tools/report/table.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kVersion = 1;
constexpr size_t kWidth = 120;
constexpr const char* kNone = "-";

void check(const Report& report) {
  std::set<std::string> names;
  for (const VariantResult& v : report.variants) {
    if (!names.insert(v.name).second) {
      throw Error("two variants named " + v.name, "names used once", "rename one of them");
    }
  }
  std::vector<std::string> wanted = report.baselines;
  if (!report.reference.empty()) wanted.push_back(report.reference);
  for (const std::string& name : wanted) {
    if (!names.contains(name)) {
      throw Error("no variant named " + name, "every baseline among the variants",
                  "measure it or do not name it");
    }
  }
}

nlohmann::json provenance_of(const Report& report) {
  nlohmann::json out = parse_json(report.provenance, "the report's provenance");
  if (!out.is_object()) {
    throw Error("a provenance that is no JSON object", "an object", "pass {} when there is none");
  }
  return out;
}

const VariantResult& find(const Report& report, const std::string& name) {
  for (const VariantResult& v : report.variants) {
    if (v.name == name) return v;
  }
  throw Error("no variant named " + name, "a variant of the report", "measure it");
}

std::string number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : kNone;
}

std::string megabytes(const std::optional<uint64_t>& bytes) {
  return bytes ? number(static_cast<double>(*bytes) / 1e6, 1) : kNone;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

TextTable size_table(const Report& report) {
  TextTable table({{"variant", Align::kLeft},
                   {"scheme", Align::kLeft},
                   {"disk MB"},
                   {"of FP16 checkpoint"},
                   {"weights MB"},
                   {"peak memory MB"}});
  for (const VariantResult& v : report.variants) {
    const double fp16 = static_cast<double>(report.fp16_checkpoint_bytes);
    const std::string ratio = v.bytes_on_disk && fp16 > 0
                                  ? number(static_cast<double>(*v.bytes_on_disk) / fp16, 3) + "x"
                                  : kNone;
    table.add({v.name, v.scheme, megabytes(v.bytes_on_disk), ratio, megabytes(v.weight_bytes),
               megabytes(v.peak_memory_bytes)});
  }
  return table;
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
  for (const VariantResult& v : report.variants) {
    if (!v.quality) continue;
    const Comparison& q = *v.quality;
    const auto percent = [](double ln_ratio) { return number(100 * std::expm1(ln_ratio), 2); };
    const std::string interval = std::isfinite(q.ln_ratio_low)
                                     ? percent(q.ln_ratio_low) + ".." + percent(q.ln_ratio_high)
                                     : kNone;
    table.add({v.name, number(q.perplexity, 3), number(q.perplexity_se, 3), percent(q.ln_ratio),
               interval, number(q.kl_mean, 5), number(q.kl_mean_se, 5), number(q.kl_p99, 4),
               number(q.kl_p999, 3), number(q.kl_max, 2), number(100 * q.same_top1, 2)});
  }
  return table;
}

TextTable speed_table(const Report& report, std::optional<PhaseSpeed> VariantResult::*phase) {
  std::vector<TextTable::Column> columns = {{"variant", Align::kLeft}, {"tok/s"}};
  for (const std::string& base : report.baselines) columns.push_back({"vs " + base});
  for (const char* title : {"p50 ms", "p99 ms", "stddev ms", "runs"}) columns.push_back({title});
  TextTable table(columns);
  for (const VariantResult& v : report.variants) {
    if (!(v.*phase)) continue;
    const PhaseSpeed& speed = *(v.*phase);
    std::vector<std::string> cells = {v.name, number(speed.tokens_per_second, 1)};
    for (const std::string& name : report.baselines) {
      const auto& base = find(report, name).*phase;
      cells.push_back(base && base->tokens_per_second > 0
                          ? number(speed.tokens_per_second / base->tokens_per_second, 2) + "x"
                          : kNone);
    }
    const LatencyStats& ms = speed.ms;
    for (double value : {ms.p50, ms.p99, ms.stddev}) cells.push_back(number(value, 2));
    cells.push_back(std::to_string(ms.n));
    table.add(cells);
  }
  return table;
}

// What some variant lacks, so that "no loss" cannot mean "not looked at".
std::vector<std::string> gaps(const Report& report) {
  std::vector<std::string> out;
  for (const VariantResult& v : report.variants) {
    std::vector<std::string> missing;
    if (!v.quality) missing.emplace_back("quality");
    if (!v.prefill) missing.emplace_back("prefill");
    if (!v.decode) missing.emplace_back("decode");
    if (!v.bytes_on_disk) missing.emplace_back("size on disk");
    if (!v.peak_memory_bytes) missing.emplace_back("peak memory");
    if (!missing.empty()) out.push_back("Not measured: " + v.name + ": " + join(missing));
  }
  return out;
}

std::vector<std::string> head(const Report& report) {
  std::vector<std::string> out;
  for (const Loss& loss : losses(report)) out.push_back(loss.line);
  if (out.empty()) {
    out.push_back(report.baselines.empty()
                      ? "No baseline: nothing was compared for losses."
                      : "No measured loss beyond noise against " + join(report.baselines) + ".");
  }
  for (std::string& gap : gaps(report)) out.push_back(std::move(gap));
  return out;
}

struct Section {
  std::string title;
  TextTable table;
};

std::vector<Section> sections(const Report& report) {
  const std::string reference = report.reference.empty() ? "no reference" : report.reference;
  std::vector<Section> all = {
      {"Size and memory (1 MB = 10^6 bytes)", size_table(report)},
      {"Quality (Δppl and KL against " + reference + ")", quality_table(report)},
      {"Prefill (a pass)", speed_table(report, &VariantResult::prefill)},
      {"Decode (a step)", speed_table(report, &VariantResult::decode)}};
  std::erase_if(all, [](const Section& section) { return section.table.rows() == 0; });
  return all;
}

Json number_json(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json speed_json(const Report& report, const VariantResult& v,
                std::optional<PhaseSpeed> VariantResult::*phase) {
  if (!(v.*phase)) return {};
  const PhaseSpeed& speed = *(v.*phase);
  Json ratios = Json::object();
  for (const std::string& name : report.baselines) {
    const auto& base = find(report, name).*phase;
    ratios[printable(name)] =
        base ? number_json(speed.tokens_per_second / base->tokens_per_second) : Json();
  }
  return {{"tokens_per_second", number_json(speed.tokens_per_second)},
          {"ratio_to", ratios},
          {"mean_ms", number_json(speed.ms.mean)},
          {"stddev_ms", number_json(speed.ms.stddev)},
          {"p50_ms", number_json(speed.ms.p50)},
          {"p99_ms", number_json(speed.ms.p99)},
          {"min_ms", number_json(speed.ms.min)},
          {"samples", speed.ms.n}};
}

Json variant_json(const Report& report, const VariantResult& v) {
  Json out = {{"name", printable(v.name)},
              {"scheme", printable(v.scheme)},
              {"bytes_on_disk", optional_json(v.bytes_on_disk)},
              {"weight_bytes", optional_json(v.weight_bytes)},
              {"peak_memory_bytes", optional_json(v.peak_memory_bytes)}};
  out["size_ratio_to_fp16_checkpoint"] =
      v.bytes_on_disk && report.fp16_checkpoint_bytes > 0
          ? Json(static_cast<double>(*v.bytes_on_disk) /
                 static_cast<double>(report.fp16_checkpoint_bytes))
          : Json();
  out["quality"] = v.quality ? Json(to_json(*v.quality)) : Json();
  out["prefill"] = speed_json(report, v, &VariantResult::prefill);
  out["decode"] = speed_json(report, v, &VariantResult::decode);
  return out;
}

Json strings(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const std::string& value : values) out.push_back(printable(value));
  return out;
}

}  // namespace

std::string report_text(const Report& report) {
  check(report);
  std::string out;
  for (const std::string& line : head(report)) out += printable(line) + "\n";
  out += fmt::format("\n{}\n", printable(report.title));
  for (const auto& [label, value] :
       {std::pair{"model", &report.model}, std::pair{"hardware", &report.hardware},
        std::pair{"evaluation", &report.eval_signature}}) {
    if (!value->empty()) out += fmt::format("{}: {}\n", label, printable(*value));
  }
  for (const Section& section : sections(report)) {
    out += fmt::format("\n{}\n{}", printable(section.title), section.table.text(kWidth));
  }
  if (!report.kept_layers.empty()) {
    out += fmt::format("\nKept in floating point: {} layers (listed in report.json)\n",
                       report.kept_layers.size());
  }
  return out;
}

std::string report_markdown(const Report& report) {
  check(report);
  std::string out;
  for (const std::string& line : head(report)) out += "- " + markdown_escape(line) + "\n";
  out += "\n# " + markdown_escape(report.title) + "\n\n";
  for (const auto& [label, value] :
       {std::pair{"Model", &report.model}, std::pair{"Hardware", &report.hardware},
        std::pair{"Evaluation", &report.eval_signature}}) {
    if (!value->empty()) out += fmt::format("- {}: {}\n", label, markdown_escape(*value));
  }
  for (const Section& section : sections(report)) {
    out += "\n## " + markdown_escape(section.title) + "\n\n" + section.table.markdown();
  }
  if (!report.kept_layers.empty()) out += "\n## Kept in floating point\n\n";
  for (const std::string& layer : report.kept_layers) out += "- " + markdown_escape(layer) + "\n";
  if (!report.commands.empty()) out += "\n## Commands\n\n";
  for (const std::string& command : report.commands) out += "    " + printable(command) + "\n";
  const nlohmann::json provenance = provenance_of(report);
  out += "\n## Provenance\n";
  for (const auto& [key, value] : provenance.items()) {
    out += fmt::format("\n- {}: {}", markdown_escape(key), markdown_escape(value.dump()));
  }
  return out + "\n";
}

nlohmann::ordered_json report_json(const Report& report) {
  check(report);
  const nlohmann::json provenance = provenance_of(report);
  Json lost = Json::array();
  for (const Loss& loss : losses(report)) {
    lost.push_back({{"line", printable(loss.line)},
                    {"kind", loss.kind},
                    {"variant", printable(loss.variant)},
                    {"baseline", printable(loss.baseline)},
                    {"measure", loss.measure},
                    {"ratio", number_json(loss.ratio)}});
  }
  Json out = {{"losses", lost},
              {"not_measured", strings(gaps(report))},
              {"octet_report", kVersion},
              {"title", printable(report.title)},
              {"model", printable(report.model)},
              {"hardware", printable(report.hardware)},
              {"eval_signature", printable(report.eval_signature)},
              {"reference", printable(report.reference)},
              {"baselines", strings(report.baselines)},
              {"fp16_checkpoint_bytes", report.fp16_checkpoint_bytes}};
  out["variants"] = Json::array();
  for (const VariantResult& v : report.variants) out["variants"].push_back(variant_json(report, v));
  out["kept_layers"] = strings(report.kept_layers);
  out["commands"] = strings(report.commands);
  out["provenance"] = provenance;
  return out;
}

void write_report(const Report& report, const std::string& folder) {
  const std::string json = report_json(report).dump(2) + "\n", markdown = report_markdown(report);
  write_file(std::filesystem::path(folder) / "report.json", json);
  write_file(std::filesystem::path(folder) / "report.md", markdown);
}

}  // namespace octet
