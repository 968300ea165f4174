// report.json back into a Report, every field checked: the file may come from anywhere.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "report/figures.h"

namespace octet {
namespace {

constexpr size_t kMaxVariants = 200;

// A value and where it stands, for errors.
class Node {
 public:
  Node(const nlohmann::json& value, std::string place, const std::string& file)
      : value_(value), place_(std::move(place)), file_(file) {}

  Node at(const char* name) const {
    want(value_.is_object(), "an object");
    if (!value_.contains(name)) {
      throw Error(
          fmt::format("no \"{}\" in {}{}", name, file_, place_.empty() ? "" : " at " + place_),
          "a report.json that octet wrote", "run octet run again");
    }
    return {value_.at(name), place_ + "/" + name, file_};
  }
  bool has(const char* name) const {
    return value_.is_object() && value_.contains(name) && !value_.at(name).is_null();
  }
  std::vector<Node> items() const {
    want(value_.is_array(), "a list");
    std::vector<Node> out;
    for (size_t i = 0; i < value_.size(); ++i) {
      out.emplace_back(value_[i], fmt::format("{}/{}", place_, i), file_);
    }
    return out;
  }
  std::string text() const {
    want(value_.is_string(), "text");
    return value_.get<std::string>();
  }
  // Null is NaN.
  double number() const {
    if (value_.is_null()) return std::numeric_limits<double>::quiet_NaN();
    want(value_.is_number(), "a number or null");
    return value_.get<double>();
  }
  int64_t count() const {
    const bool fits = value_.is_number_integer() && value_.get<int64_t>() >= 0;
    want(fits, "a whole number from 0 on");
    return value_.get<int64_t>();
  }
  std::optional<uint64_t> bytes() const {
    if (value_.is_null()) return {};
    return static_cast<uint64_t>(count());
  }
  bool flag() const {
    want(value_.is_boolean(), "true or false");
    return value_.get<bool>();
  }
  const nlohmann::json& object() const {
    want(value_.is_object(), "an object");
    return value_;
  }
  void want(bool right, const std::string& expected) const {
    if (right) return;
    std::string shown = value_.dump();
    if (shown.size() > 40) shown = value_.type_name();
    throw Error(fmt::format("{} at {} in {}", shown, place_.empty() ? "the top" : place_, file_),
                expected, "take report.json as octet run wrote it");
  }

 private:
  const nlohmann::json& value_;
  std::string place_;
  const std::string& file_;
};

std::vector<std::string> texts(const Node& node) {
  std::vector<std::string> out;
  for (const Node& item : node.items()) out.push_back(item.text());
  return out;
}

Comparison comparison_of(const Node& node) {
  try {
    return comparison_from(node.object());
  } catch (const nlohmann::json::exception& e) {
    node.want(false, fmt::format("every figure of a comparison ({})", e.what()));
    throw;
  }
}

LatencyStats latency_of(const Node& node) {
  return {node.at("mean_ms").number(), node.at("stddev_ms").number(), node.at("p50_ms").number(),
          node.at("p99_ms").number(),  node.at("min_ms").number(),    node.at("samples").count()};
}

std::optional<PhaseSpeed> phase_of(const Node& variant, const char* name) {
  if (!variant.has(name)) return {};
  const Node node = variant.at(name);
  return PhaseSpeed{node.at("tokens_per_second").number(), latency_of(node)};
}

TaskScore score_of(const Node& node) {
  TaskScore s;
  s.metric = node.at("metric").text();
  s.signature = node.at("signature").text();
  for (const auto& [name, field] :
       {std::pair{"value", &TaskScore::value}, std::pair{"low", &TaskScore::low},
        std::pair{"high", &TaskScore::high}, std::pair{"reference", &TaskScore::reference},
        std::pair{"delta", &TaskScore::delta}, std::pair{"delta_low", &TaskScore::delta_low},
        std::pair{"delta_high", &TaskScore::delta_high},
        std::pair{"p_value", &TaskScore::p_value}}) {
    s.*field = node.at(name).number();
  }
  s.changed = node.at("changed").count(), s.total = node.at("total").count();
  return s;
}

OutputExample example_of(const Node& node) {
  OutputExample e;
  e.index = node.at("index").count();
  e.source = node.at("source").text(), e.target = node.at("target").text();
  e.reference = node.at("reference").text(), e.output = node.at("output").text();
  e.score = node.at("score").number(), e.reference_score = node.at("reference_score").number();
  return e;
}

CurvePoint point_of(const Node& node, bool training) {
  CurvePoint p;
  p.step = node.at("step").count();
  p.loss = node.at("loss").number(), p.nll = node.at("nll").number(), p.kl = node.at("kl").number();
  if (training) {
    p.rate = node.at("lr").number();
    p.gradient_norm = node.at("gradient_norm").number();
  }
  return p;
}

TrainResult tuning_of(const Node& node) {
  TrainResult out;
  for (const Node& point : node.at("train").items()) out.train.push_back(point_of(point, true));
  for (const Node& point : node.at("eval").items()) out.eval.push_back(point_of(point, false));
  const int64_t best = node.at("best").at("step").count();
  const auto found = std::find_if(out.eval.begin(), out.eval.end(),
                                  [best](const CurvePoint& p) { return p.step == best; });
  node.at("best").want(found != out.eval.end(), "one of the steps that were evaluated");
  out.best = static_cast<size_t>(found - out.eval.begin());
  out.steps = node.at("steps").count();
  out.stopped_early = node.at("stopped_early").flag();
  return out;
}

// What version 1 did not have.
void fill_details(const Node& node, VariantResult& v) {
  for (const Node& score : node.at("scores").items()) v.scores.push_back(score_of(score));
  if (node.has("speed")) {
    const Node speed = node.at("speed");
    v.speed = TaskSpeed{speed.at("items_per_second").number(), speed.at("batch").count(),
                        latency_of(speed.at("batch_ms")), latency_of(speed.at("single_ms"))};
  }
  if (node.has("tuned_from")) v.tuned_from = node.at("tuned_from").text();
  if (node.has("tuning")) v.tuning = tuning_of(node.at("tuning"));
  for (const Node& e : node.at("layer_errors").items()) {
    v.layer_errors.push_back({e.at("site").text(), e.at("error").number()});
  }
  for (const Node& e : node.at("examples").items()) v.examples.push_back(example_of(e));
}

VariantResult variant_of(const Node& node, int64_t version) {
  VariantResult v;
  v.name = node.at("name").text();
  v.scheme = node.at("scheme").text();
  v.bytes_on_disk = node.at("bytes_on_disk").bytes();
  v.weight_bytes = node.at("weight_bytes").bytes();
  v.peak_memory_bytes = node.at("peak_memory_bytes").bytes();
  if (node.has("quality")) v.quality = comparison_of(node.at("quality"));
  v.prefill = phase_of(node, "prefill");
  v.decode = phase_of(node, "decode");
  if (version > 1) fill_details(node, v);
  return v;
}

TaskKind task_of(const Node& node) {
  const std::string name = node.text();
  node.want(name == "language" || name == "translation" || name == "vision",
            "language, translation or vision");
  if (name == "language") return TaskKind::kLanguage;
  return name == "vision" ? TaskKind::kVision : TaskKind::kTranslation;
}

int64_t version_of(const Node& root) {
  const int64_t version = root.at("octet_report").count();
  root.at("octet_report")
      .want(version >= 1 && version <= kReportVersion,
            fmt::format("a version from 1 to {}; a newer one needs a newer octet", kReportVersion));
  return version;
}

}  // namespace

Report report_from_json(const nlohmann::json& json, const std::string& what) {
  const Node root(json, "", what);
  const int64_t version = version_of(root);
  Report report;
  report.title = root.at("title").text();
  report.model = root.at("model").text();
  report.hardware = root.at("hardware").text();
  report.eval_signature = root.at("eval_signature").text();
  report.reference = root.at("reference").text();
  report.baselines = texts(root.at("baselines"));
  report.fp16_checkpoint_bytes = root.at("fp16_checkpoint_bytes").bytes().value_or(0);
  const std::vector<Node> variants = root.at("variants").items();
  root.at("variants")
      .want(variants.size() <= kMaxVariants, fmt::format("at most {} variants", kMaxVariants));
  for (const Node& variant : variants) report.variants.push_back(variant_of(variant, version));
  if (version > 1) {
    report.task = task_of(root.at("task"));
    report.range_method = root.at("range_method").text();
    for (const Node& r : root.at("activation_ranges").items()) {
      report.ranges.push_back(
          {r.at("site").text(), r.at("absmax").number(), r.at("range").number()});
    }
  }
  report.kept_layers = texts(root.at("kept_layers"));
  report.commands = texts(root.at("commands"));
  report.provenance = root.at("provenance").object().dump();
  check_report(report);
  return report;
}

}  // namespace octet
