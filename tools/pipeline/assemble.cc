#include "tools/pipeline/assemble.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/version.h"
#include "models/run/device.h"
#include "models/source_model.h"
#include "quant/quantize_job.h"
#include "tools/pipeline/stage_json.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void fill_quality(const json& scores, const std::string& name, VariantResult& variant) {
  if (!scores.contains(name)) return;
  TaskScores found = task_scores_from(scores[name], "eval.json");
  variant.quality = found.comparison;
  variant.scores = std::move(found.scores);
  variant.examples = std::move(found.examples);
}

VariantResult float_variant(const std::string& name, const json& scores, const json& speeds) {
  VariantResult result;
  result.name = result.scheme = name;
  fill_quality(scores, name, result);
  if (speeds.contains(name)) fill_speed(speeds[name], result);
  return result;
}

VariantResult quantized_variant(const Variant& variant, const json& scores, const json& speeds,
                                const json& layers) {
  VariantResult result;
  result.name = variant.name, result.scheme = variant.scheme;
  result.tuned_from = variant.tuned_from;
  fill_quality(scores, variant.name, result);
  if (speeds.contains(variant.name)) fill_speed(speeds[variant.name], result);
  for (const json& layer : layers.value(variant.name, json::array())) {
    result.layer_errors.push_back(
        {layer.at("site").get<std::string>(), layer.at("error").get<double>()});
  }
  if (!variant.tuned_from.empty()) {
    result.tuning = train_result_from(read_json(variant.directory + "/octet-finetune.json"));
  }
  return result;
}

// In the order of the network; those whose input is quantized per token have no range.
std::vector<ActivationRange> ranges_of(const Topology& topology, const StaticInputs& inputs) {
  std::vector<ActivationRange> ranges;
  for (const Site& site : topology.sites) {
    const auto found = inputs.find(site.name);
    if (found == inputs.end() || found->second.per_token) continue;
    ranges.push_back({site.name, found->second.absmax, found->second.range});
  }
  return ranges;
}

std::string command_line(const RunOptions& options) {
  std::string line = "octet run " + options.model;
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) line += fmt::format(" --{} '{}'", flag, value);
  };
  add("data", options.data);
  add("calib-data", options.calib_data);
  add("train-data", options.train_data);
  add("valid-data", options.valid_data);
  add("eval-data", options.eval_data);
  line += fmt::format(" --schemes {} --head {}", options.schemes, options.head);
  if (options.finetune > 0) {
    line += fmt::format(" --finetune {} --lr {} --batch-tokens {}", options.finetune, options.lr,
                        options.batch_tokens);
    add("finetune-schemes", options.finetune_schemes);
    if (options.learn_scales) line += " --learn-scales";
  }
  return line + " --out " + options.out;
}

void fill_head(const SourceModel& model, const RunOptions& options, Report& report) {
  report.model = options.name.empty() ? fs::path(options.model).filename().string() : options.name;
  report.title = fmt::format("{}: quantized against its float baselines", report.model);
  report.reference = "float32";
  report.baselines = {"float32", "bfloat16"};
  report.fp16_checkpoint_bytes = model.weight_file_bytes();
  json provenance = to_json(options);
  provenance["octet"] = kVersion;
  provenance["model_fingerprint"] = model.fingerprint();
  report.provenance = provenance.dump();
  report.commands = {command_line(options)};
}

}  // namespace

Report assemble_report(const SourceModel& model, const RunOptions& options, TaskKind task,
                       const Stages& stages, const Context& context) {
  Report report;
  fill_head(model, options, report);
  report.task = task;
  report.hardware = hardware_line(open_device(context.device), context.threads);
  const ModelConfig& config = model.config();
  const Topology topology = make_model(config)->topology();
  PlanRules rules = default_rules(config.architecture, "w8a16");
  rules.head = parse_scheme(options.head == "keep" ? "fp16" : "w8a16");
  for (const ModulePlan& module : plan_modules(topology, rules)) {
    if (!module.quantized())
      report.kept_layers.push_back(module.module + " (" + module.reason + ")");
  }
  report.kept_layers.emplace_back("embeddings and norms (kept by design)");
  const json scores = stages.result("eval"), speeds = stages.result("bench"),
             layers = stages.result("layers");
  report.eval_signature = scores.at("float32").value("signature", "");
  for (const char* name : {"float32", "bfloat16"}) {
    report.variants.push_back(float_variant(name, scores, speeds));
  }
  for (const Variant& variant : stages.variants()) {
    report.variants.push_back(quantized_variant(variant, scores, speeds, layers));
  }
  if (stages.calibrated()) {
    report.ranges = ranges_of(
        topology, static_inputs(model, stages.quantize_options("w8a8-static"), context.log));
    report.range_method = options.range;
  }
  return report;
}

}  // namespace octet
