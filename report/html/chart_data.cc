#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "report/figures.h"
#include "report/html/parts.h"
#include "report/quality.h"
#include "report/verdict.h"

namespace octet::html {
namespace {

Json number_json(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

// Language models are drawn by KL on a logarithmic axis, which tells apart what differs by decades;
// other tasks by the change of their score.
bool by_divergence(const Report& report) {
  for (const VariantResult& v : report.variants) {
    if (!v.scores.empty()) return false;
  }
  return true;
}

// y, low and high of a variant; nothing if it has none.
std::optional<Json> height(const Report& report, const VariantResult& v) {
  const bool reference = v.name == report.reference;
  if (by_divergence(report)) {
    if (reference) return Json{{"y", 0}, {"low", nullptr}, {"high", nullptr}};
    if (!v.quality || !std::isfinite(v.quality->kl_mean)) return {};
    const double half = 1.96 * v.quality->kl_mean_se;
    return Json{{"y", v.quality->kl_mean},
                {"low", number_json(v.quality->kl_mean - half)},
                {"high", number_json(v.quality->kl_mean + half)}};
  }
  if (reference) return Json{{"y", 0}, {"low", nullptr}, {"high", nullptr}};
  const auto change = quality_change(report, v);
  if (!change) return {};
  return Json{{"y", change->change},
              {"low", number_json(change->low)},
              {"high", number_json(change->high)}};
}

std::string measure_of(const Report& report) {
  for (const VariantResult& v : report.variants) {
    if (!v.scores.empty()) return v.scores[0].metric;
  }
  return "KL";
}

Json tradeoff(const Report& report, bool size) {
  const std::string measure = measure_of(report), recommended = verdict(report).recommended;
  const bool log = measure == "KL";
  const std::string cost =
      size ? "size on disk, MB" : fmt::format("latency, ms a {}", item_of(report));
  const std::string y = log ? "mean KL to " + report.reference + ", nats (less is better)"
                            : fmt::format("change of {}{} (more is better)", measure,
                                          measure == "accuracy" ? ", points" : "");
  Json points = Json::array();
  for (const VariantResult& v : report.variants) {
    auto point = height(report, v);
    const auto ms = cost_of(v);
    if (!point || (size ? !v.bytes_on_disk : !ms)) continue;
    (*point)["name"] = printable(v.name);
    (*point)["x"] = size ? static_cast<double>(*v.bytes_on_disk) / 1e6 : ms->ms;
    (*point)["best"] = v.name == recommended;
    points.push_back(*point);
  }
  return {{"id", size ? "size" : "latency"},
          {"kind", "tradeoff"},
          {"title", size ? "Quality against size" : "Quality against latency"},
          {"note", fmt::format("{} is better. Bars: 95 % intervals. Dashed: the limit. An arrow "
                               "leads from a variant to what fine-tuning made of it; variants of "
                               "one cost stand side by side.",
                               log ? "Down and left" : "Up and left")},
          {"x", cost},
          {"y", y},
          {"log", log},
          {"limit", log ? kDivergenceLimit : -kScoreLimit},
          {"points", points}};
}

Json layers(const Report& report) {
  std::vector<std::string> sites;
  std::map<std::string, size_t> place;
  for (const VariantResult& v : report.variants) {
    for (const LayerError& e : v.layer_errors) {
      if (place.emplace(e.site, sites.size()).second) sites.push_back(e.site);
    }
  }
  Json labels = Json::array(), series = Json::array();
  for (const std::string& site : sites) labels.push_back(printable(site));
  for (const VariantResult& v : report.variants) {
    if (v.layer_errors.empty()) continue;
    std::vector<Json> values(sites.size());
    for (const LayerError& e : v.layer_errors) {
      values[place[e.site]] = e.error > 0 ? number_json(100 * e.error) : Json();
    }
    series.push_back({{"name", printable(v.name)}, {"values", values}});
  }
  return {{"id", "layers"},
          {"kind", "lines"},
          {"title", "Error of each layer"},
          {"note",
           "Relative error of each site's output, in %, from the first layer to the last; "
           "a logarithmic axis, less is better."},
          {"y", "relative error, %"},
          {"labels", labels},
          {"series", series}};
}

Json ranges(const Report& report) {
  Json labels = Json::array(), absmax = Json::array(), chosen = Json::array();
  for (const ActivationRange& r : report.ranges) {
    labels.push_back(printable(r.site));
    absmax.push_back(r.absmax > 0 ? number_json(r.absmax) : Json());
    chosen.push_back(r.range > 0 ? number_json(r.range) : Json());
  }
  const std::string method =
      report.range_method.empty() ? "" : fmt::format(" ({})", printable(report.range_method));
  return {
      {"id", "ranges"},
      {"kind", "ranges"},
      {"title", "Activation ranges before and after clipping"},
      {"note", fmt::format("The largest input seen at each site, and the range chosen for it{}; "
                           "a logarithmic axis.",
                           method)},
      {"y", "largest absolute value"},
      {"labels", labels},
      {"absmax", absmax},
      {"chosen", chosen}};
}

Json tuning(const Report& report) {
  bool divergence = false;
  for (const VariantResult& v : report.variants) {
    if (!v.tuning) continue;
    for (const CurvePoint& p : v.tuning->eval) divergence = divergence || p.kl > 0;
  }
  Json series = Json::array();
  for (const VariantResult& v : report.variants) {
    if (!v.tuning || v.tuning->eval.empty()) continue;
    Json points = Json::array(), train = Json::array();
    for (const CurvePoint& p : v.tuning->eval) {
      points.push_back({{"x", p.step}, {"y", number_json(divergence ? p.kl : p.nll)}});
    }
    for (const CurvePoint& p : v.tuning->train) {
      train.push_back({{"x", p.step}, {"y", number_json(divergence ? p.kl : p.nll)}});
    }
    series.push_back({{"name", printable(v.name)},
                      {"best", v.tuning->best},
                      {"points", points},
                      {"train", train}});
  }
  const char* measure = divergence ? "KL to the float model" : "NLL";
  return {{"id", "tuning"},
          {"kind", "curves"},
          {"title", "Fine-tuning"},
          {"note", fmt::format("Mean {} on unseen data (solid) and of the training batches (thin) "
                               "after each step; step 0 is quantization alone, the large mark is "
                               "what was kept. Less is better.",
                               measure)},
          {"x", "steps"},
          {"y", fmt::format("{}, nats", measure)},
          {"log", divergence},
          {"series", series}};
}

}  // namespace

Json chart_data(const Report& report) {
  Json charts = Json::array();
  for (bool size : {true, false}) {
    Json one = tradeoff(report, size);
    if (one.at("points").size() > 1) charts.push_back(std::move(one));
  }
  if (Json one = layers(report); !one.at("series").empty()) charts.push_back(std::move(one));
  if (!report.ranges.empty()) charts.push_back(ranges(report));
  if (Json one = tuning(report); !one.at("series").empty()) charts.push_back(std::move(one));
  Json variants = Json::array();
  for (const VariantResult& v : report.variants) {
    variants.push_back({{"name", printable(v.name)},
                        {"from", v.tuned_from.empty() ? Json() : Json(printable(v.tuned_from))},
                        {"float", is_baseline(report, v) || v.name == report.reference}});
  }
  return {{"variants", variants}, {"charts", charts}};
}

}  // namespace octet::html
