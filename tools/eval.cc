#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/choice.h"
#include "eval/classification.h"
#include "eval/evaluate.h"
#include "eval/translation.h"
#include "models/architectures/registry.h"
#include "models/source_model.h"
#include "report/table.h"
#include "tools/commands.h"

namespace octet {
namespace {

constexpr int64_t kShown = 5;  // of the changed sentences; --json has all that are kept

nlohmann::json counters_json(const Evaluation& e) {
  return {{"int8_gemms", e.int8_gemms},
          {"packed_gemms", e.packed_gemms},
          {"dequantized_tiles", e.dequantized_tiles},
          {"largest_tile_rows", e.largest_tile_rows}};
}

nlohmann::json to_json(const Evaluation& e, const EvalOptions& options) {
  nlohmann::json json = {{"model", options.model},      {"scheme", e.scheme},
                         {"signature", e.signature},    {"perplexity", e.scores.perplexity},
                         {"scores", to_json(e.scores)}, {"seconds", e.seconds},
                         {"counters", counters_json(e)}};
  if (e.scores.has_reference) {
    json["reference"] = options.reference;
    json["kl"] = {{"mean", e.scores.kl_mean},
                  {"mean_se", e.scores.kl_mean_se},
                  {"p99", e.scores.kl_p99},
                  {"p99.9", e.scores.kl_p999},
                  {"max", e.scores.kl_max}};
    json["same_top1"] = e.scores.same_top1;
  }
  return json;
}

void print(const Comparison& s) {
  fmt::print("perplexity  {:.4f} +- {:.4f}\n", s.perplexity, s.perplexity_se);
  if (s.has_reference) {
    fmt::print("reference   {:.4f}; ln ratio {:+.5f}, 95 % interval [{:+.5f}, {:+.5f}]\n",
               s.ref_perplexity, s.ln_ratio, s.ln_ratio_low, s.ln_ratio_high);
    fmt::print("KL (nats)   mean {:.6f} +- {:.6f}, 99 % {:.4f}, 99.9 % {:.4f}, max {:.4f}\n",
               s.kl_mean, s.kl_mean_se, s.kl_p99, s.kl_p999, s.kl_max);
    fmt::print("same top-1  {:.2f} % +- {:.2f}\n", 100 * s.same_top1, 100 * s.same_top1_se);
  }
}

void print(const Evaluation& e) {
  fmt::print("scheme      {}\n", e.scheme);
  print(e.scores);
  fmt::print("signature   {}\n", e.signature);
  if (e.int8_gemms + e.packed_gemms > 0) {
    fmt::print(
        "linears     {} integer, {} weight-only; at most {} rows of a weight dequantized at once\n",
        e.int8_gemms, e.packed_gemms, e.largest_tile_rows);
  }
}

void print(const ChoiceEvaluation& e) {
  const ChoiceResult& r = e.result;
  fmt::print("scheme      {}\naccuracy    {:.2f} % +- {:.2f} of {} questions\n", e.scheme,
             100 * r.accuracy, 100 * r.accuracy_se, r.questions);
  if (r.has_reference) {
    fmt::print("reference   {:.2f} %; {} flips ({} lost, {} won), {} answers changed\n",
               100 * r.ref_accuracy, r.flips(), r.lost, r.won, r.changed);
    fmt::print("McNemar     p = {:.4g} (exact, paired)\n", r.p_value);
  }
  fmt::print("signature   {}\n", e.signature);
}

nlohmann::json to_json(const ChoiceEvaluation& e, const EvalOptions& options) {
  nlohmann::json json = {{"model", options.model},
                         {"scheme", e.scheme},
                         {"signature", e.signature},
                         {"choice", to_json(e.result)}};
  if (e.result.has_reference) json["reference"] = options.reference;
  return json;
}

void print(const TaskScore& s) {
  fmt::print("{:<10}  {:.2f}, 95 % interval [{:.2f}, {:.2f}]\n", s.metric, s.value, s.low, s.high);
  if (!s.has_reference()) return;
  fmt::print("  reference {:.2f}; {:+.2f}, 95 % interval [{:+.2f}, {:+.2f}], p = {:.4f}: {}\n",
             s.reference, s.delta, s.delta_low, s.delta_high, s.p_value,
             !s.significant() ? "not more than chance"
             : s.lost()       ? "a loss"
                              : "a gain");
  fmt::print("  {} of {} outputs changed: {} better, {} worse\n", s.changed, s.total, s.better,
             s.worse);
}

void print(const TranslationEvaluation& e) {
  fmt::print("scheme      {}\n", e.scores.scheme);
  for (const TaskScore& score : e.scores.scores) print(score);
  print(*e.scores.comparison);
  for (const OutputExample& example : e.scores.examples) {
    if (&example - e.scores.examples.data() == kShown) break;
    fmt::print(
        "sentence {} (BLEU {:.1f} -> {:.1f})\n  source    {}\n  target    {}\n"
        "  reference {}\n  output    {}\n",
        example.index + 1, example.reference_score, example.score, printable(example.source),
        printable(example.target), printable(example.reference), printable(example.output));
  }
  fmt::print("speed       {:.1f} sentences/s\n",
             static_cast<double>(e.outputs.size()) / std::max(e.seconds, 1e-9));
  for (const TaskScore& score : e.scores.scores)
    fmt::print("signature   {}|{}\n", score.metric, score.signature);
  fmt::print("            {}\n", e.scores.signature);
}

nlohmann::json to_json(const TranslationEvaluation& e, const EvalOptions& options) {
  nlohmann::json json = to_json(e.scores);
  json["model"] = options.model;
  if (!options.reference.empty()) json["reference"] = options.reference;
  json["seconds"] = e.seconds;
  json["target_tokens"] = e.target_tokens;
  json["outputs"] = e.outputs;
  json["counters"] = counters_json(e.forced);
  return json;
}

void print(const ClassificationEvaluation& e) {
  fmt::print("scheme      {}\n", e.scores.scheme);
  for (const TaskScore& score : e.scores.scores) print(score);
  print(*e.scores.comparison);
  for (const OutputExample& example : e.scores.examples) {
    if (&example - e.scores.examples.data() == kShown) break;
    fmt::print("{} ({}): {} -> {}\n", example.source, printable(example.target),
               printable(example.reference), printable(example.output));
  }
  fmt::print("speed       {:.1f} images/s\n",
             static_cast<double>(e.answers.size()) / std::max(e.run.seconds, 1e-9));
  for (const TaskScore& score : e.scores.scores) fmt::print("signature   {}\n", score.signature);
  fmt::print("            {}\n", e.scores.signature);
}

nlohmann::json to_json(const ClassificationEvaluation& e, const EvalOptions& options) {
  nlohmann::json json = to_json(e.scores);
  json["model"] = options.model;
  if (!options.reference.empty()) json["reference"] = options.reference;
  json["seconds"] = e.run.seconds;
  json["answers"] = e.answers;
  json["counters"] = counters_json(e.run);
  return json;
}

class EvalCommand : public Command {
 public:
  std::string name() const override { return "eval"; }
  std::string summary() const override {
    return "measure perplexity, accuracy or BLEU of a model, optionally against a reference";
  }
  std::vector<std::string> examples() const override {
    return {"octet eval model-fp16 --data test.txt --length 1024",
            "octet eval model-w8a8 --data test.txt --reference model-fp16 --json",
            "octet eval model-w8a8 --data choice:questions.jsonl --reference model-fp16",
            "octet eval marian-w8a8 --data parallel:test.en,test.de --reference marian --beam 4",
            "octet eval vit-w8a8 --data idx:/usr/share/datasets/fashion-mnist --reference vit"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    require_option(options_.data, "data", "what to score");
    const SourceModel model(options_.model);
    if (parse_data_parts(options_.data).front().kind == DataKind::kChoice)
      return show(evaluate_choices(model, options_, context), common);
    switch (task_kind(model.config())) {
      case TaskKind::kTranslation:
        return show(evaluate_translation(model, options_, context), common);
      case TaskKind::kVision:
        return show(evaluate_classification(model, options_, context), common);
      case TaskKind::kLanguage:
        break;
    }
    return show(evaluate(model, options_, context), common);
  }

 private:
  template <class Result>
  int show(const Result& result, const CommonOptions& common) const {
    if (common.json) {
      fmt::print("{}\n", to_json(result, options_).dump());
    } else {
      print(result);
    }
    return 0;
  }
  EvalOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_eval_command() {
  return std::make_unique<EvalCommand>();
}

}  // namespace octet
