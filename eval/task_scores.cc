#include "eval/task_scores.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr double kSignificance = 0.05;

json number(double value) {
  return std::isfinite(value) ? json(value) : json();
}

double number_of(const json& object, const char* name) {
  const json& value = object.at(name);
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

constexpr std::pair<const char*, double TaskScore::*> kScoreFields[] = {
    {"value", &TaskScore::value},
    {"low", &TaskScore::low},
    {"high", &TaskScore::high},
    {"reference", &TaskScore::reference},
    {"delta", &TaskScore::delta},
    {"delta_low", &TaskScore::delta_low},
    {"delta_high", &TaskScore::delta_high},
    {"p_value", &TaskScore::p_value}};

constexpr std::pair<const char*, int64_t TaskScore::*> kCounts[] = {
    {"better", &TaskScore::better},
    {"worse", &TaskScore::worse},
    {"changed", &TaskScore::changed},
    {"total", &TaskScore::total}};

constexpr std::pair<const char*, double Comparison::*> kComparisonFields[] = {
    {"perplexity", &Comparison::perplexity},
    {"perplexity_se", &Comparison::perplexity_se},
    {"ref_perplexity", &Comparison::ref_perplexity},
    {"delta_perplexity", &Comparison::delta_perplexity},
    {"delta_perplexity_se", &Comparison::delta_perplexity_se},
    {"perplexity_ratio", &Comparison::perplexity_ratio},
    {"ln_ratio", &Comparison::ln_ratio},
    {"ln_ratio_se", &Comparison::ln_ratio_se},
    {"ln_ratio_low", &Comparison::ln_ratio_low},
    {"ln_ratio_high", &Comparison::ln_ratio_high},
    {"kl_mean", &Comparison::kl_mean},
    {"kl_mean_se", &Comparison::kl_mean_se},
    {"kl_median", &Comparison::kl_median},
    {"kl_p99", &Comparison::kl_p99},
    {"kl_p999", &Comparison::kl_p999},
    {"kl_max", &Comparison::kl_max},
    {"same_top1", &Comparison::same_top1},
    {"same_top1_se", &Comparison::same_top1_se}};

TaskScore score_from(const json& object) {
  TaskScore score;
  score.metric = object.at("metric").get<std::string>();
  score.signature = object.at("signature").get<std::string>();
  for (const auto& [name, field] : kCounts) score.*field = object.at(name).get<int64_t>();
  for (const auto& [name, field] : kScoreFields) score.*field = number_of(object, name);
  return score;
}

json to_json(const OutputExample& example) {
  return {{"index", example.index},
          {"source", example.source},
          {"target", example.target},
          {"reference", example.reference},
          {"output", example.output},
          {"score", number(example.score)},
          {"reference_score", number(example.reference_score)}};
}

OutputExample example_from(const json& object) {
  OutputExample example;
  example.index = object.at("index").get<int64_t>();
  example.source = object.at("source").get<std::string>();
  example.target = object.at("target").get<std::string>();
  example.reference = object.at("reference").get<std::string>();
  example.output = object.at("output").get<std::string>();
  example.score = number_of(object, "score");
  example.reference_score = number_of(object, "reference_score");
  return example;
}

}  // namespace

bool TaskScore::has_reference() const {
  return std::isfinite(reference);
}

bool TaskScore::significant() const {
  return has_reference() && p_value < kSignificance && (delta_low > 0 || delta_high < 0);
}

bool lost(const Comparison& comparison) {
  return comparison.has_reference && comparison.ln_ratio_low > 0;
}

std::optional<double> recovery(double before, double after) {
  if (!(before > 0) || !std::isfinite(after)) return std::nullopt;
  return (before - after) / before;
}

const TaskScore* TaskScores::find(const std::string& metric) const {
  for (const TaskScore& score : scores) {
    if (score.metric == metric) return &score;
  }
  return nullptr;
}

json to_json(const TaskScore& score) {
  json object = {{"metric", score.metric},
                 {"signature", score.signature},
                 {"significant", score.significant()}};
  for (const auto& [name, field] : kCounts) object[name] = score.*field;
  for (const auto& [name, field] : kScoreFields) object[name] = number(score.*field);
  return object;
}

json to_json(const TaskScores& scores) {
  json object = {{"task", scores.task},
                 {"scheme", scores.scheme},
                 {"signature", scores.signature},
                 {"comparison", scores.comparison ? to_json(*scores.comparison) : json()},
                 {"scores", json::array()},
                 {"examples", json::array()}};
  for (const TaskScore& score : scores.scores) object["scores"].push_back(to_json(score));
  for (const OutputExample& example : scores.examples)
    object["examples"].push_back(to_json(example));
  return object;
}

TaskScores task_scores_from(const json& object, const std::string& what) {
  try {
    TaskScores scores;
    scores.task = object.at("task").get<std::string>();
    scores.scheme = object.at("scheme").get<std::string>();
    scores.signature = object.at("signature").get<std::string>();
    const json& comparison = object.at("comparison");
    if (!comparison.is_null()) scores.comparison = comparison_from(comparison);
    for (const json& score : object.at("scores")) scores.scores.push_back(score_from(score));
    for (const json& example : object.at("examples"))
      scores.examples.push_back(example_from(example));
    return scores;
  } catch (const json::exception& e) {
    throw Error(fmt::format("no scores in {} ({})", what, e.what()),
                "what octet eval --json prints", "evaluate the model again");
  }
}

Comparison comparison_from(const json& object) {
  Comparison comparison;
  comparison.windows = object.at("windows").get<int64_t>();
  comparison.positions = object.at("positions").get<int64_t>();
  comparison.has_reference = object.at("has_reference").get<bool>();
  for (const auto& [name, field] : kComparisonFields) comparison.*field = number_of(object, name);
  return comparison;
}

}  // namespace octet
