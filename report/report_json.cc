#include <cmath>
#include <nlohmann/json.hpp>

#include "report/figures.h"
#include "report/quality.h"
#include "report/table.h"
#include "report/verdict.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;

Json number_json(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json strings(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const std::string& value : values) out.push_back(printable(value));
  return out;
}

template <class Rate>
Json ratios(const Report& report, const VariantResult& v, Rate&& rate) {
  Json out = Json::object();
  for (const std::string& name : report.baselines) {
    const double base = rate(find_variant(report, name));
    out[printable(name)] = base > 0 ? number_json(rate(v) / base) : Json();
  }
  return out;
}

Json latency_json(const LatencyStats& ms) {
  return {{"mean_ms", number_json(ms.mean)}, {"stddev_ms", number_json(ms.stddev)},
          {"p50_ms", number_json(ms.p50)},   {"p99_ms", number_json(ms.p99)},
          {"min_ms", number_json(ms.min)},   {"samples", ms.n}};
}

Json phase_json(const Report& report, const VariantResult& v,
                std::optional<PhaseSpeed> VariantResult::*phase) {
  if (!(v.*phase)) return {};
  Json out = {{"tokens_per_second", number_json((v.*phase)->tokens_per_second)}};
  out["ratio_to"] = ratios(report, v, [phase](const VariantResult& of) {
    return of.*phase ? (of.*phase)->tokens_per_second : 0;
  });
  out.update(latency_json((v.*phase)->ms));
  return out;
}

Json speed_json(const Report& report, const VariantResult& v) {
  if (!v.speed) return {};
  Json out = {{"items_per_second", number_json(v.speed->items_per_second)},
              {"batch", v.speed->batch}};
  out["ratio_to"] = ratios(
      report, v, [](const VariantResult& of) { return of.speed ? of.speed->items_per_second : 0; });
  out["batch_ms"] = latency_json(v.speed->batch_ms);
  out["single_ms"] = latency_json(v.speed->single_ms);
  return out;
}

Json scores_json(const VariantResult& v) {
  Json out = Json::array();
  for (TaskScore s : v.scores) {
    s.metric = printable(s.metric), s.signature = printable(s.signature);
    out.push_back(Json(to_json(s)));
  }
  return out;
}

Json change_json(const Report& report, const VariantResult& v) {
  const auto change = quality_change(report, v);
  if (!change) return {};
  return {{"measure", printable(change->measure)},
          {"unit", change->unit},
          {"change", number_json(change->change)},
          {"low", number_json(change->low)},
          {"high", number_json(change->high)},
          {"p", number_json(change->p)},
          {"significance", to_string(change->significance)}};
}

Json details_json(const VariantResult& v) {
  Json errors = Json::array(), examples = Json::array();
  for (const LayerError& e : v.layer_errors) {
    errors.push_back({{"site", printable(e.site)}, {"error", number_json(e.error)}});
  }
  for (const OutputExample& e : v.examples) {
    examples.push_back({{"index", e.index},
                        {"source", printable(e.source)},
                        {"target", printable(e.target)},
                        {"reference", printable(e.reference)},
                        {"output", printable(e.output)},
                        {"score", number_json(e.score)},
                        {"reference_score", number_json(e.reference_score)}});
  }
  return {{"tuned_from", v.tuned_from.empty() ? Json() : Json(printable(v.tuned_from))},
          {"tuning", v.tuning && !v.tuning->eval.empty() ? Json(to_json(*v.tuning)) : Json()},
          {"layer_errors", errors},
          {"examples", examples}};
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
  out["change"] = change_json(report, v);
  const auto cost = cost_of(v);
  out["ms_an_item"] = cost ? number_json(cost->ms) : Json();
  out["scores"] = scores_json(v);
  out["quality"] = v.quality ? Json(to_json(*v.quality)) : Json();
  out["prefill"] = phase_json(report, v, &VariantResult::prefill);
  out["decode"] = phase_json(report, v, &VariantResult::decode);
  out["speed"] = speed_json(report, v);
  out.update(details_json(v));
  return out;
}

Json losses_json(const Report& report) {
  Json out = Json::array();
  for (const Loss& loss : losses(report)) {
    out.push_back({{"line", printable(loss.line)},
                   {"kind", loss.kind},
                   {"variant", printable(loss.variant)},
                   {"baseline", printable(loss.baseline)},
                   {"measure", printable(loss.measure)},
                   {"ratio", number_json(loss.ratio)}});
  }
  return out;
}

Json verdict_json(const Report& report) {
  const Verdict v = verdict(report);
  Json variants = Json::array(), recovered = Json::array();
  for (const VariantVerdict& one : v.variants) {
    variants.push_back({{"variant", printable(one.variant)},
                        {"recommended", one.recommended},
                        {"quality_holds", one.acceptable},
                        {"why", printable(one.why)}});
  }
  for (const Recovery& r : recoveries(report)) {
    recovered.push_back({{"variant", printable(r.variant)},
                         {"from", printable(r.from)},
                         {"measure", printable(r.measure)},
                         {"unit", r.unit},
                         {"loss_before", number_json(r.before)},
                         {"loss_after", number_json(r.after)},
                         {"percent", r.percent ? number_json(*r.percent) : Json()},
                         {"line", printable(r.line)}});
  }
  return {{"recommended", v.recommended.empty() ? Json() : Json(printable(v.recommended))},
          {"headline", printable(v.headline)},
          {"detail", printable(v.detail)},
          {"rule", v.rule},
          {"variants", variants},
          {"recovered", recovered}};
}

const char* task_name(TaskKind task) {
  switch (task) {
    case TaskKind::kTranslation:
      return "translation";
    case TaskKind::kVision:
      return "vision";
    default:
      return "language";
  }
}

}  // namespace

nlohmann::ordered_json report_json(const Report& report) {
  check_report(report);
  const nlohmann::json provenance = provenance_of(report);
  Json out = {{"losses", losses_json(report)},
              {"verdict", verdict_json(report)},
              {"not_measured", strings(gaps(report))},
              {"octet_report", kReportVersion},
              {"title", printable(report.title)},
              {"model", printable(report.model)},
              {"task", task_name(report.task)},
              {"hardware", printable(report.hardware)},
              {"eval_signature", printable(report.eval_signature)},
              {"reference", printable(report.reference)},
              {"baselines", strings(report.baselines)},
              {"fp16_checkpoint_bytes", report.fp16_checkpoint_bytes}};
  out["variants"] = Json::array();
  for (const VariantResult& v : report.variants) out["variants"].push_back(variant_json(report, v));
  out["range_method"] = printable(report.range_method);
  out["activation_ranges"] = Json::array();
  for (const ActivationRange& r : report.ranges) {
    out["activation_ranges"].push_back({{"site", printable(r.site)},
                                        {"absmax", number_json(r.absmax)},
                                        {"range", number_json(r.range)}});
  }
  out["kept_layers"] = strings(report.kept_layers);
  out["commands"] = strings(report.commands);
  out["provenance"] = provenance;
  return out;
}

}  // namespace octet
