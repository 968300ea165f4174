#include "tools/pipeline/assemble.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "core/json.h"
#include "core/version.h"
#include "models/run/hardware.h"
#include "models/run/model.h"
#include "models/source_model.h"
#include "quant/quantize_job.h"
#include "tools/command.h"
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

// What repeats the run, but for octet's own version.
std::string command_line(const RunOptions& options, const Context& context) {
  std::vector<std::string> words = {"octet", "run"};
  CommonOptions common;
  common.device = context.device;
  if (context.threads != static_cast<int>(std::thread::hardware_concurrency())) {
    common.threads = context.threads;
  }
  for (const auto& arguments :
       {to_arguments(common, CommonOptions()), to_arguments(options, RunOptions())}) {
    words.insert(words.end(), arguments.begin(), arguments.end());
  }
  return shell_line(words);
}

void fill_head(const SourceModel& model, const RunOptions& options, const Context& context,
               Report& report) {
  report.model = options.name.empty() ? model.path().filename().string() : options.name;
  report.title = fmt::format("{}: quantized against its float baselines", report.model);
  report.reference = "float32";
  report.baselines = {"float32", "bfloat16"};
  report.fp16_checkpoint_bytes = model.weight_file_bytes();
  json provenance = to_json(options);
  provenance["octet"] = kVersion;
  provenance["model_fingerprint"] = model.fingerprint();
  report.provenance = provenance.dump();
  report.commands = {command_line(options, context)};
}

// The layers that are kept, which all schemes agree on, and the ranges of those inputs that some
// variant quantizes with one scale, in the order of the network.
void fill_layers(const SourceModel& model, const RunOptions& options, const Stages& stages,
                 const Context& context, Report& report) {
  const ModelConfig& config = model.config();
  const Topology topology = make_model(config)->topology();
  StaticInputs inputs;
  if (stages.calibrated()) {
    inputs = static_inputs(model, stages.quantize_options("w8a8-static"), context.log);
    report.range_method = options.quantize.range;
  }
  std::set<std::string> kept, ranged;
  for (const Variant& variant : stages.variants()) {
    const PlanRules rules =
        plan_rules(stages.quantize_options(variant.scheme), config.architecture);
    for (const ModulePlan& module : plan_modules(topology, rules, inputs)) {
      if (module.input_range > 0) ranged.insert(module.module);
      if (module.quantized() || !kept.insert(module.module).second) continue;
      report.kept_layers.push_back(module.module + " (" + module.reason + ")");
    }
  }
  report.kept_layers.emplace_back("embeddings and norms (kept by design)");
  for (const Site& site : topology.sites) {
    if (!ranged.contains(site.matrices.front().name)) continue;
    const StaticInput& input = inputs.at(site.name);
    report.ranges.push_back({site.name, input.absmax, input.range});
  }
}

}  // namespace

Report assemble_report(const SourceModel& model, const RunOptions& options, TaskKind task,
                       const Stages& stages, const Context& context) {
  Report report;
  fill_head(model, options, context, report);
  report.task = task;
  report.hardware = hardware_line(context.device, context.threads);
  fill_layers(model, options, stages, context, report);
  const json scores = stages.result("eval"), speeds = stages.result("bench"),
             layers = stages.result("layers");
  report.eval_signature = scores.at("float32").value("signature", "");
  for (const char* name : {"float32", "bfloat16"}) {
    report.variants.push_back(float_variant(name, scores, speeds));
  }
  for (const Variant& variant : stages.variants()) {
    report.variants.push_back(quantized_variant(variant, scores, speeds, layers));
  }
  return report;
}

}  // namespace octet
