#include "quant/quantize_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "calib/range.h"
#include "calib/store.h"
#include "core/error.h"
#include "core/json.h"
#include "models/architectures/registry.h"
#include "models/run/model.h"
#include "models/source_model.h"
#include "models/weights/block_scaled_tensors.h"

namespace octet {
namespace {

// A few tokens (the first of a text, in many language models) reach hundreds of times further than
// all others in the input of some layers. No one scale serves both: clipped, the model breaks;
// kept, the other tokens round to zero. Such sites are told by absmax against the 99th percentile
// of the tokens' own maxima.
StaticInput choose_input(const SiteStatistics& site, RangeMethod method,
                         const QuantizeOptions& options) {
  const double usual = find_range(site.tokens, RangeMethod::kPercentile, 99.0);
  const double largest = site.values.absmax();
  if (options.outlier_ratio > 0 && usual > 0 && largest > options.outlier_ratio * usual) {
    return {0, largest, true,
            fmt::format("input quantized per token: its largest value {:.4g} is {:.0f} times the "
                        "99th percentile "
                        "of token maxima",
                        largest, largest / usual)};
  }
  return {find_range(site.values, method, options.percentile), largest, false, ""};
}

std::string text_of(const nlohmann::json& object, const char* field) {
  return object.contains(field) && object[field].is_string() ? object[field].get<std::string>()
                                                             : "";
}

// A fingerprint of content has a prefix; one without was made of names and sizes.
void check_model(const CalibrationStore& store, const SourceModel& model,
                 const QuantizeOptions& options, Log& log) {
  const std::string stored = text_of(parse_json(store.provenance, options.calib), "model");
  const bool by_names = stored.find(':') == std::string::npos;
  if (stored != (by_names ? model.older_fingerprint() : model.fingerprint())) {
    throw Error(fmt::format("{} belongs to another model", options.calib),
                fmt::format("a calibration of {}", options.model), "calibrate this model");
  }
  if (!by_names) return;
  log.warn(fmt::format(
      "{} was written by an older octet: that it belongs to {} could be checked by the names and "
      "sizes of tensors alone, not by their values; calibrate again to be sure",
      options.calib, options.model));
}

}  // namespace

StaticInputs static_inputs(const SourceModel& model, const QuantizeOptions& options, Log& log) {
  if (options.calib.empty()) {
    throw UsageError("no --calib for w8a8-static", "a calibration store",
                     "run octet calibrate first and pass its file with --calib");
  }
  const RangeMethod method = parse_range_method(options.range);
  const CalibrationStore store = load_calibration(options.calib);
  if (!store.complete()) {
    throw Error(
        fmt::format("{} of {} units in {}", store.units.size(), store.units_total, options.calib),
        "a whole calibration", "join the shards with octet calib merge");
  }
  check_model(store, model, options, log);
  StaticInputs inputs;
  for (const auto& [name, site] : store.sites) inputs[name] = choose_input(site, method, options);
  return inputs;
}

bool needs_calibration(const PlanRules& rules) {
  const auto is_static = [](const Scheme& scheme) { return scheme.input.per_tensor(); };
  return is_static(rules.scheme) ||
         std::any_of(rules.layers.begin(), rules.layers.end(),
                     [&](const LayerRule& rule) { return is_static(rule.scheme); });
}

namespace {

void refuse_quantized(const QuantizeOptions& options) {
  throw UsageError(fmt::format("{} is quantized already", options.model), "a float model",
                   "quantize the checkpoint it was made from");
}

QuantizeJob job_by_topology(const SourceModel& model, const QuantizeOptions& options, Log& log) {
  const ModelConfig& config = model.config();
  if (config.quantized) refuse_quantized(options);
  const PlanRules rules = plan_rules(options, config.architecture);
  const Topology topology = make_model(config)->topology();
  QuantizeJob job;
  job.plan =
      plan_modules(topology, rules,
                   needs_calibration(rules) ? static_inputs(model, options, log) : StaticInputs());
  if (architecture_row(config).vllm_rules) {
    job.vllm = check_vllm(topology, job.plan, config.dtype);
  }
  job.source = model.tensors();
  require_tensors(*job.source, topology);
  const TensorInfo& table = job.source->info(topology.tables.front().name);
  job.scale_type = table.dtype;
  if (!is_compute_dtype(table.dtype)) {
    throw Error(fmt::format("tensor {} of type {}", table.name, name(table.dtype)),
                "F16, BF16 or F32", "quantize from the float checkpoint");
  }
  return job;
}

std::string architecture_of(const nlohmann::json& config) {
  const auto list = config.value("architectures", nlohmann::json());
  if (list.is_array() && !list.empty() && list[0].is_string()) return list[0].get<std::string>();
  return text_of(config, "model_type");
}

// The model's dtype. Its weights may be stored in another one, as F8_E4M3.
Dtype model_type_of(const nlohmann::json& config) {
  const std::string text = text_of(config, "torch_dtype") + text_of(config, "dtype");
  if (text == "float32") return Dtype::kF32;
  return text == "float16" ? Dtype::kF16 : Dtype::kBF16;
}

ModulePlan kept_module(const KeptTensor& tensor, const TensorInfo& info) {
  ModulePlan module;
  module.module = tensor.name.substr(0, tensor.name.rfind('.'));
  module.reason = tensor.reason;
  module.n = info.shape[0];
  module.k = info.shape[1];
  module.source = tensor.name;
  return module;
}

// An architecture that octet cannot execute: its linear layers are told by the names of tensors.
QuantizeJob job_by_name(const SourceModel& model, const QuantizeOptions& options) {
  const nlohmann::json& config = model.config_json();
  const Checkpoint& checkpoint = *model.checkpoint();
  ModulesByName modules = modules_by_name(checkpoint);
  const bool is_quantized = config.contains("quantization_config");
  if (is_quantized && modules.block_scales.empty()) refuse_quantized(options);
  const PlanRules rules = plan_rules(options, architecture_of(config));
  if (needs_calibration(rules)) {
    throw UsageError(fmt::format("a scheme with calibration for {}", rules.architecture),
                     "a model that octet can execute", "use w8a8-dynamic, w8a16 or w4a16-gN");
  }
  QuantizeJob job;
  job.plan = plan_modules(modules.topology, rules);
  std::set<std::string> kept;
  for (const ModulePlan& module : job.plan) {
    if (!module.quantized()) kept.insert(module.source);
  }
  for (const KeptTensor& tensor : modules.kept) {
    kept.insert(tensor.name);
    if (tensor.matrix) job.plan.push_back(kept_module(tensor, checkpoint.info(tensor.name)));
  }
  job.vllm = check_vllm(modules.topology, job.plan, "bfloat16");
  job.source = std::make_shared<BlockScaledTensors>(model.tensors(), modules.block_scales, kept);
  job.scale_type = model_type_of(config);
  job.kept = std::move(modules.kept);
  return job;
}

}  // namespace

QuantizeJob make_job(const SourceModel& model, const QuantizeOptions& options, Log& log) {
  const bool executes = model.is_gguf() || executable(model.config_json());
  return executes ? job_by_topology(model, options, log) : job_by_name(model, options);
}

}  // namespace octet
