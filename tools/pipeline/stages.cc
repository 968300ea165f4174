#include "tools/pipeline/stages.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/json.h"
#include "eval/layer_errors.h"
#include "models/data/open_samples.h"
#include "quant/load_model.h"
#include "quant/quantize_job.h"
#include "tools/bench/bench_json.h"
#include "tools/pipeline/score_models.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Images in a step of fine-tuning: they all take the same, so --batch-tokens says nothing of them.
constexpr int64_t kTunedImages = 64;
// Samples that the errors of single layers are taken over, in batches of kLayerBatch.
constexpr int64_t kLayerSamples = 32, kLayerBatch = 8;

std::vector<std::string> split_schemes(const std::string& list) {
  std::vector<std::string> schemes;
  std::stringstream stream(list);
  for (std::string name; std::getline(stream, name, ',');) {
    if (!parse_scheme(name).quantized()) {
      throw UsageError("fp16 in --schemes", "quantized schemes",
                       "the float baselines are always included");
    }
    schemes.push_back(name);
  }
  if (schemes.empty())
    throw UsageError("no --schemes", "a list such as w8a8-dynamic,w8a16", "name at least one");
  return schemes;
}

}  // namespace

Stages::Stages(const SourceModel& model, const RunOptions& options, TaskKind task,
               const RunData& data, Context& context, StageDir& stage)
    : model_(model),
      options_(options),
      task_(task),
      data_(data),
      context_(context),
      stage_(stage),
      schemes_(split_schemes(options.schemes)) {
  if (options.finetune.trainer.steps == 0) return;
  tuned_ = options.finetune_schemes.empty() ? schemes_ : split_schemes(options.finetune_schemes);
  for (const std::string& scheme : tuned_) {
    if (std::find(schemes_.begin(), schemes_.end(), scheme) != schemes_.end()) continue;
    throw UsageError(fmt::format("{} in --finetune-schemes", scheme), "schemes of --schemes",
                     "add it to --schemes as well");
  }
}

bool Stages::calibrated() const {
  return std::any_of(schemes_.begin(), schemes_.end(), [this](const std::string& scheme) {
    return !quantize_options(scheme).calib.empty();
  });
}

void Stages::run() {
  if (calibrated()) calibrate_stage();
  fs::create_directories(stage_.path() / "models");
  for (const std::string& scheme : schemes_) {
    quantize_stage(scheme);
    variants_.push_back({scheme, scheme, "", directory(scheme)});
  }
  for (const std::string& scheme : tuned_) {
    finetune_stage(scheme);
    const std::string name = scheme + "+qat";
    // Nothing was won: the same model as before is no variant of its own.
    const json curve = read_json(directory(name) + "/octet-finetune.json");
    if (curve.at("best").at("step") != 0) {
      variants_.push_back({name, scheme, scheme, directory(name)});
    }
  }
  json_stage("eval", [this] { return eval_stage(); });
  json_stage("layers", [this] { return layers_stage(); });
  json_stage("bench", [this] { return bench_stage(); });
}

std::string Stages::directory(const std::string& variant) const {
  return stage_.path() / "models" / variant;
}

json Stages::result(const std::string& name) const {
  return read_json((stage_.path() / (name + ".json")).string());
}

void Stages::calibrate_stage() {
  CalibrateOptions o = options_.calibrate;
  o.model = options_.quantize.model, o.data = data_.calib, o.out = calibration();
  context_.log.info(fmt::format("calibrate on {} samples", o.samples));
  calibrate(model_, o, context_);
  stage_.finish("calibrate");
}

QuantizeOptions Stages::quantize_options(const std::string& scheme) const {
  QuantizeOptions o = options_.quantize;
  o.out = directory(scheme), o.scheme = scheme;
  if (needs_calibration(plan_rules(o, ""))) o.calib = calibration();
  return o;
}

void Stages::quantize_stage(const std::string& scheme) {
  context_.log.info("quantize " + scheme);
  quantize(model_, quantize_options(scheme), context_);
  stage_.finish("quantize " + scheme);
}

FinetuneOptions Stages::finetune_options(const std::string& scheme) const {
  FinetuneOptions o = options_.finetune;
  const int64_t steps = o.trainer.steps;
  o.quantize = quantize_options(scheme);
  o.quantize.out = directory(scheme + "+qat");
  o.data = data_.train, o.eval_data = data_.valid;
  if (task_ == TaskKind::kVision) o.batch_tokens = 0, o.batch = kTunedImages;
  o.length = task_ == TaskKind::kLanguage ? options_.calibrate.length : 0;
  o.eval_samples = task_ == TaskKind::kLanguage ? 32 : 512;
  o.trainer.warmup = std::max<int64_t>(1, steps / 20);
  o.trainer.eval_every = o.trainer.save_every = std::max<int64_t>(1, steps / 10);
  // What 8 bits lose is so little that larger steps only add to it.
  if (parse_scheme(scheme).weight.element != Dtype::kI4) o.trainer.lr /= 10;
  if (context_.device.starts_with("cuda")) o.trainer.precision = "bfloat16";
  return o;
}

void Stages::finetune_stage(const std::string& scheme) {
  context_.log.info(
      fmt::format("fine-tune {} for {} steps", scheme, options_.finetune.trainer.steps));
  const FinetuneResult tuned = finetune(model_, finetune_options(scheme), {}, context_);
  context_.log.info(fmt::format("{}: {}", scheme, tuned.verdict));
  stage_.finish("finetune " + scheme);
}

template <class Work>
void Stages::json_stage(const std::string& name, Work&& work) {
  if (stage_.has(name)) return;
  context_.log.info(name);
  write_file(stage_.path() / (name + ".json"), work().dump(1) + "\n");
  stage_.finish(name);
}

json Stages::eval_stage() {
  LoadedModel reference = load_model(model_, {at::kFloat, context_.device, context_.gemm_file});
  std::vector<LoadedModel> models;
  for (const Variant& variant : variants_) {
    models.push_back(
        load_model(variant.directory, {at::kFloat, context_.device, context_.gemm_file}));
  }
  std::vector<LoadedModel*> all = {&reference};
  for (LoadedModel& model : models) all.push_back(&model);
  EvalOptions o = options_.eval;
  o.data = data_.eval;
  if (o.windows < 0) o.windows = task_ == TaskKind::kLanguage ? 16 : 0;
  o.beam = options_.bench.beam, o.batch = options_.bench.batch, o.seed = options_.calibrate.seed;
  const auto scores = score_models(model_, all, o, context_);
  json result = {{"float32", to_json(scores[0])}};
  for (size_t i = 0; i < variants_.size(); ++i) result[variants_[i].name] = to_json(scores[i + 1]);
  return result;
}

json Stages::layers_stage() {
  LoadedModel reference = load_model(model_, {at::kFloat, context_.device, context_.gemm_file});
  const auto samples = open_samples(model_, data_.calib, Split::kTrain, options_.calibrate.length);
  json result = json::object();
  for (const Variant& variant : variants_) {
    LoadedModel model =
        load_model(variant.directory, {at::kFloat, context_.device, context_.gemm_file});
    json list = json::array();
    for (const LayerError& layer :
         layer_errors(reference, model, *samples, kLayerSamples, kLayerBatch, context_)) {
      list.push_back({{"site", layer.site}, {"error", layer.error}});
    }
    result[variant.name] = list;
  }
  return result;
}

json Stages::bench_stage() {
  BenchOptions o = options_.bench;
  o.models = {options_.quantize.model};
  for (const Variant& variant : variants_) o.models.push_back(variant.directory);
  if (task_ == TaskKind::kTranslation) o.data = data_.eval;
  const auto results = bench(o, context_);
  json speeds = json::object();
  const size_t floats = results.size() - variants_.size();
  for (size_t i = 0; i < results.size(); ++i) {
    const bool is_float = i < floats;
    speeds[is_float ? results[i].scheme : variants_[i - floats].name] = to_json(results[i]);
  }
  return speeds;
}

}  // namespace octet
