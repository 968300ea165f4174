#include "quant/quantize.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "calib/range.h"
#include "calib/store.h"
#include "core/error.h"
#include "core/files.h"
#include "core/version.h"
#include "models/model.h"
#include "models/open.h"
#include "quant/export/compressed_tensors.h"
#include "quant/export/quantization_config.h"

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
    return {0, true,
            fmt::format("input quantized per token: its largest value {:.4g} is {:.0f} times the "
                        "99th percentile "
                        "of token maxima",
                        largest, largest / usual)};
  }
  return {find_range(site.values, method, options.percentile), false, ""};
}

StaticInputs static_inputs(const QuantizeOptions& options) {
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
  const auto provenance = nlohmann::json::parse(store.provenance, nullptr, false);
  if (provenance.is_object() && provenance.value("model", "") != model_fingerprint(options.model)) {
    throw Error(fmt::format("{} belongs to another model", options.calib),
                fmt::format("a calibration of {}", options.model), "calibrate this model");
  }
  StaticInputs inputs;
  for (const auto& [name, site] : store.sites) inputs[name] = choose_input(site, method, options);
  return inputs;
}

bool needs_calibration(const PlanRules& rules) {
  const auto is_static = [](const Scheme& scheme) {
    return scheme.activation == ActivationQuant::kStaticTensor;
  };
  return is_static(rules.scheme) ||
         std::any_of(rules.layers.begin(), rules.layers.end(),
                     [&](const LayerRule& rule) { return is_static(rule.scheme); });
}

nlohmann::json stage_key(const QuantizeOptions& options) {
  nlohmann::json key = to_json(options);
  key.erase("out");
  key["octet"] = kVersion;
  key["input"] = model_fingerprint(options.model);
  if (!options.calib.empty()) key["calib_identity"] = file_identity(options.calib);
  return key;
}

}  // namespace

void QuantizeOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a Hugging Face directory or a .gguf file with float weights", model);
  v.field("scheme", "w8a8-dynamic, w8a8-static, w8a16 or w4a16-gN (N weights share a scale)",
          scheme);
  v.field("head", "output head: keep, w8a16 or w8a8 (per token); a tied one is copied", head);
  v.field("layer",
          "REGEX=SCHEME, repeatable: layers whose name matches from its start get SCHEME, with all "
          "that read the same input; a later one wins",
          layer);
  v.field("ignore", "REGEX, repeatable: such layers are kept in float; wins over --layer", ignore);
  v.field("calib", "calibration store, for w8a8-static", calib);
  v.field(
      "range",
      "how ranges are chosen: absmax or mse for 4-bit weights and static activations, percentile "
      "or entropy for static activations alone (4-bit weights then by mse); 8-bit weights "
      "always go by absmax",
      range);
  v.field("percentile", "share of values inside the range, in percent, for --range percentile",
          percentile);
  v.field("outlier-ratio",
          "w8a8-static: sites whose largest input exceeds this many times the 99th percentile of "
          "token maxima are "
          "quantized per token; 0: never",
          outlier_ratio);
  v.field("out", "directory to write", out);
}

PlanRules plan_rules(const QuantizeOptions& options, const std::string& architecture) {
  PlanRules rules;
  rules.architecture = architecture;
  rules.scheme = parse_scheme(options.scheme);
  rules.head = parse_head(options.head);
  for (const std::string& rule : options.layer) rules.layers.push_back(parse_layer_rule(rule));
  rules.ignore = options.ignore;
  rules.clip_search = parse_range_method(options.range) != RangeMethod::kAbsmax;
  return rules;
}

QuantizeResult quantize(const QuantizeOptions& options, Context& context) {
  require_option(options.out, "out", "a directory to write");
  const ModelConfig config = open_config(options.model);
  if (config.quantized) {
    throw UsageError(fmt::format("{} is quantized already", options.model), "a float model",
                     "quantize the checkpoint it was made from");
  }
  const PlanRules rules = plan_rules(options, config.architecture);
  const Topology topology = make_model(config)->topology();
  const StaticInputs inputs = needs_calibration(rules) ? static_inputs(options) : StaticInputs();
  QuantizeResult result;
  result.directory = options.out;
  result.plan = plan_modules(topology, rules, inputs);
  result.vllm = check_vllm(topology, result.plan, config.dtype);
  result.bytes_before = weight_file_bytes(options.model);
  StageDir stage(options.out, stage_key(options));
  result.reused = stage.complete();
  if (!result.reused) {
    const auto source = open_weights(options.model);
    Progress progress(context.log, "quantize " + options.scheme,
                      static_cast<int64_t>(result.plan.size()));
    write_compressed_tensors(stage.path(), topology, result.plan, *source, [&] {
      context.stop.check("run the same command again");
      progress.advance();
    });
    copy_companions(options.model, stage.path());
    write_file(stage.path() / "config.json",
               quantized_config(config_text(options.model), result.plan));
    stage.commit();
  }
  result.bytes_after = weight_file_bytes(options.out);
  return result;
}

}  // namespace octet
