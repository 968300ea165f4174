#include "tools/pipeline/run.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "calib/calibrate.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/version.h"
#include "datasets/data_spec.h"
#include "eval/evaluate.h"
#include "eval/task_scores.h"
#include "models/device.h"
#include "models/open.h"
#include "quant/quantize.h"
#include "tools/bench/bench_json.h"
#include "tools/pipeline/stage_json.h"
#include "tools/report/report.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::vector<std::string> split_schemes(const std::string& list) {
  std::vector<std::string> schemes;
  std::stringstream stream(list);
  for (std::string name; std::getline(stream, name, ',');) {
    if (!parse_scheme(name).quantized()) {
      throw UsageError("fp16 in --schemes", "quantized schemes",
                       "the float baselines are always there");
    }
    schemes.push_back(name);
  }
  if (schemes.empty())
    throw UsageError("no --schemes", "a list such as w8a8-dynamic,w8a16", "name at least one");
  return schemes;
}

// The job: each stage leaves its result in the stage folder and is skipped when that stands.
class Pipeline {
 public:
  Pipeline(const RunOptions& options, Context& context, StageDir& stage)
      : options_(options),
        context_(context),
        stage_(stage),
        schemes_(split_schemes(options.schemes)) {}

  Report run() {
    if (options_.schemes.find("static") != std::string::npos) calibrate_stage();
    fs::create_directories(stage_.path() / "models");
    for (const std::string& scheme : schemes_) quantize_stage(scheme);
    const json scores = stage_json("eval", [this] { return eval_stage(); });
    const json speeds = stage_json("bench", [this] { return bench_stage(); });
    return assemble(scores, speeds);
  }

 private:
  std::string directory(const std::string& scheme) const {
    return stage_.path() / "models" / scheme;
  }
  std::string calibration() const { return stage_.path() / "calib.h5"; }

  void calibrate_stage() {
    CalibrateOptions o;
    o.model = options_.model, o.data = options_.calib_data, o.out = calibration();
    o.samples = options_.samples, o.length = options_.calib_length, o.seed = options_.seed;
    context_.log.info(
        fmt::format("[1/4] calibrate on {} windows of {} tokens", o.samples, o.length));
    calibrate(o, context_);
    stage_.finish("calibrate");
  }

  void quantize_stage(const std::string& scheme) {
    QuantizeOptions o;
    o.model = options_.model, o.out = directory(scheme), o.scheme = scheme;
    o.range = options_.range, o.percentile = options_.percentile;
    if (scheme == "w8a8-static") o.calib = calibration();
    context_.log.info("[2/4] quantize " + scheme);
    quantize(o, context_);
    stage_.finish("quantize " + scheme);
  }

  template <class Work>
  json stage_json(const std::string& name, Work&& work) {
    const fs::path file = stage_.path() / (name + ".json");
    if (stage_.has(name)) return read_json(file.string());
    const json result = work();
    write_file(file, result.dump(1) + "\n");
    stage_.finish(name);
    return result;
  }

  json eval_stage() {
    context_.log.info(fmt::format("[3/4] eval: float32 and {} schemes", schemes_.size()));
    const TokenWindows windows =
        open_windows(options_.model, options_.eval_data, options_.eval_length);
    LoadedModel reference = load_model(options_.model, {at::kFloat, context_.device, true});
    std::vector<LoadedModel> models;
    for (const std::string& scheme : schemes_) {
      models.push_back(load_model(directory(scheme), {at::kFloat, context_.device, true}));
    }
    std::vector<LoadedModel*> all = {&reference};
    for (LoadedModel& model : models) all.push_back(&model);
    const auto evaluations = evaluate_models(all, &reference, windows, options_.windows,
                                             static_cast<uint64_t>(options_.seed), context_);
    const int64_t used =
        options_.windows > 0 ? std::min(options_.windows, windows.size()) : windows.size();
    json scores = json::object();
    for (size_t i = 0; i < evaluations.size(); ++i) {
      scores[i == 0 ? "float32" : schemes_[i - 1]] = to_json(evaluations[i].scores);
    }
    return {
        {"signature", eval_signature(windows, used, open_tokenizer(options_.model)->adds_bos())},
        {"scores", scores}};
  }

  json bench_stage() {
    context_.log.info("[4/4] bench: float32, bfloat16 and each scheme, taking turns");
    BenchOptions o;
    o.models = {options_.model};
    for (const std::string& scheme : schemes_) o.models.push_back(directory(scheme));
    o.prefill = options_.prefill, o.decode = options_.decode, o.rounds = options_.rounds;
    json speeds = json::object();
    const auto results = bench(o, context_);
    for (size_t i = 0; i < results.size(); ++i) speeds[results[i].scheme] = to_json(results[i]);
    return speeds;
  }

  Report assemble(const json& scores, const json& speeds) const {
    Report report;
    const std::string name =
        options_.name.empty() ? fs::path(options_.model).filename().string() : options_.name;
    report.title = fmt::format("{}: INT8 against its float baselines", name);
    report.model = name;
    report.hardware = hardware_line(open_device(context_.device), context_.threads);
    report.reference = "float32";
    report.baselines = {"float32", "bfloat16"};
    report.eval_signature = fmt::format("{}|data:{}", scores["signature"].get<std::string>(),
                                        fs::path(options_.eval_data).filename().string());
    json provenance = to_json(options_);
    provenance["octet"] = kVersion;
    provenance["model_fingerprint"] = model_fingerprint(options_.model);
    report.provenance = provenance.dump();
    report.fp16_checkpoint_bytes = weight_file_bytes(options_.model);
    const ModelConfig config = open_config(options_.model);
    for (const ModulePlan& module : plan_modules(make_model(config)->topology(),
                                                 default_rules(config.architecture, "w8a16"))) {
      if (!module.quantized())
        report.kept_layers.push_back(module.module + " (" + module.reason + ")");
    }
    report.kept_layers.emplace_back("embeddings and norms (kept by design)");
    report.commands = {fmt::format(
        "octet run {} --calib-data {} --eval-data {} --schemes {} --out {}", options_.model,
        options_.calib_data, options_.eval_data, options_.schemes, options_.out)};
    std::vector<std::string> variants = {"float32", "bfloat16"};
    variants.insert(variants.end(), schemes_.begin(), schemes_.end());
    for (const std::string& variant : variants) {
      VariantResult result;
      result.name = result.scheme = variant;
      if (scores["scores"].contains(variant))
        result.quality = comparison_from(scores["scores"][variant]);
      if (speeds.contains(variant)) fill_speed(speeds[variant], result);
      report.variants.push_back(result);
    }
    return report;
  }

  const RunOptions& options_;
  Context& context_;
  StageDir& stage_;
  std::vector<std::string> schemes_;
};

json stage_key(const RunOptions& options, const Context& context) {
  json key = to_json(options);
  key.erase("out");
  key["octet"] = kVersion;
  key["device"] = context.device;
  key["model_fingerprint"] = model_fingerprint(options.model);
  key["calib_identity"] = file_identity(parse_data_spec(options.calib_data).path);
  key["eval_identity"] = file_identity(parse_data_spec(options.eval_data).path);
  return key;
}

}  // namespace

void RunOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a Hugging Face directory or a .gguf file with float weights", model);
  v.field("calib-data", "for calibration: FILE, text:FILE, jsonl:FILE or choice:FILE", calib_data);
  v.field("eval-data", "for perplexity: FILE, text:FILE or jsonl:FILE", eval_data);
  v.field("schemes", "schemes to compare, joined by commas", schemes);
  v.field("out", "directory for models, report.json and report.md", out);
  v.field("name", "what the report calls the model", name);
  v.field("range", "static activation ranges: absmax, percentile, mse or entropy", range);
  v.field("percentile", "for --range percentile, in percent", percentile);
  v.field("samples", "windows of calibration", samples);
  v.field("calib-length", "tokens in a window of calibration", calib_length);
  v.field("eval-length", "tokens in a window of evaluation", eval_length);
  v.field("windows", "windows of evaluation, 0 for all", windows);
  v.field("seed", "of sampling and bootstrap", seed);
  v.field("prefill", "tokens of the timed prompt", prefill);
  v.field("decode", "tokens timed one by one behind it", decode);
  v.field("rounds", "turns of each model in the timing", rounds);
}

RunResult run_pipeline(const RunOptions& options, Context& context) {
  require_option(options.calib_data, "calib-data", "a text for calibration");
  require_option(options.eval_data, "eval-data", "a text for evaluation");
  require_option(options.out, "out", "a directory to write");
  if (parse_data_spec(options.eval_data).kind == DataKind::kChoice) {
    throw UsageError(fmt::format("--eval-data {}", options.eval_data),
                     "text:FILE or jsonl:FILE, for perplexity",
                     "take the accuracy of each model with octet eval --data choice:FILE");
  }
  StageDir stage(options.out, stage_key(options, context));
  const fs::path out = options.out;
  RunResult result{out / "report.json", out / "report.md", "", stage.complete()};
  if (!stage.complete()) {
    const Report report = Pipeline(options, context, stage).run();
    write_report(report, stage.path());
    write_file(stage.path() / "table.txt", report_text(report));
    stage.commit();
  }
  result.table = read_file(out / "table.txt");
  return result;
}

}  // namespace octet
