#include "report/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/json.h"
#include "report/table.h"

namespace octet {

void check_report(const Report& report) {
  std::set<std::string> names;
  for (const VariantResult& v : report.variants) {
    if (!names.insert(v.name).second) {
      throw Error("two variants named " + v.name, "names used once", "rename one of them");
    }
  }
  std::vector<std::string> wanted = report.baselines;
  if (!report.reference.empty()) wanted.push_back(report.reference);
  for (const VariantResult& v : report.variants) {
    if (v.tuned_from.empty()) continue;
    wanted.push_back(v.tuned_from);
    if (v.tuned_from == v.name) {
      throw Error(v.name + " tuned from itself", "the variant that fine-tuning started from",
                  "name the variant without fine-tuning");
    }
  }
  for (const std::string& name : wanted) {
    if (!names.contains(name)) {
      throw Error("no variant named " + name,
                  "every baseline, the reference and what was tuned among the variants",
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

const VariantResult& find_variant(const Report& report, const std::string& name) {
  for (const VariantResult& v : report.variants) {
    if (v.name == name) return v;
  }
  throw Error("no variant named " + name, "a variant of the report", "measure it");
}

bool is_baseline(const Report& report, const VariantResult& variant) {
  return std::find(report.baselines.begin(), report.baselines.end(), variant.name) !=
         report.baselines.end();
}

std::string number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : kNone;
}

std::string brief(double value) {
  if (!std::isfinite(value)) return kNone;
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size >= 1000) return fmt::format("{:.0f}", value);
  const int digits = std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 12);
  std::string out = fmt::format("{:.{}f}", value, digits);
  if (digits > 0) out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out;
}

std::string probability(double p) {
  if (!std::isfinite(p)) return kNone;
  if (p < 0.001) return "< 0.001";
  return fmt::format("= {:.{}f}", p, p < 0.1 ? 3 : 2);
}

std::string megabytes(const std::optional<uint64_t>& bytes) {
  return bytes ? number(static_cast<double>(*bytes) / 1e6, 1) : kNone;
}

std::string json_key(const std::string& name) {
  std::string out;
  for (char c : printable(name)) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

double relative_error(const LatencyStats& ms) {
  if (ms.n < 2 || !(ms.mean > 0) || !std::isfinite(ms.stddev)) return 0;
  return ms.stddev / std::sqrt(static_cast<double>(ms.n)) / ms.mean;
}

std::optional<Cost> cost_of(const VariantResult& v) {
  const auto timed = [](const LatencyStats& ms, double rate) -> std::optional<Cost> {
    if (ms.n > 0 && ms.p50 > 0) return Cost{ms.p50, 2 * relative_error(ms)};
    if (rate > 0) return Cost{1000 / rate, 0};
    return {};
  };
  if (v.speed) return timed(v.speed->single_ms, v.speed->items_per_second);
  if (v.decode) return timed(v.decode->ms, v.decode->tokens_per_second);
  return {};
}

const char* item_of(const Report& report) {
  switch (report.task) {
    case TaskKind::kTranslation:
      return "sentence";
    case TaskKind::kVision:
      return "image";
    default:
      return "token";
  }
}

std::vector<std::string> gaps(const Report& report) {
  std::vector<std::string> out;
  const bool language = report.task == TaskKind::kLanguage;
  for (const VariantResult& v : report.variants) {
    const std::pair<bool, const char*> wanted[] = {
        {!v.quality && (language || v.scores.empty()), "quality"},
        {!language && v.scores.empty(), "score"},
        {language && !v.prefill, "prefill"},
        {language && !v.decode, "decode"},
        {!language && !v.speed, "speed"},
        {!v.bytes_on_disk, "size on disk"},
        {!v.peak_memory_bytes, "peak memory"}};
    std::vector<std::string> missing;
    for (const auto& [lacks, what] : wanted) {
      if (lacks) missing.emplace_back(what);
    }
    if (!missing.empty()) out.push_back("Not measured: " + v.name + ": " + join(missing));
  }
  return out;
}

std::vector<std::string> head_lines(const Report& report) {
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

}  // namespace octet
