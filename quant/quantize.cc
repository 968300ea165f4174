#include "quant/quantize.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "calib/range.h"
#include "calib/store.h"
#include "core/error.h"
#include "core/files.h"
#include "core/version.h"
#include "models/model.h"
#include "models/open.h"

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
  v.field("scheme", "w8a8-dynamic, w8a8-static or w8a16", scheme);
  v.field("calib", "calibration store, for w8a8-static", calib);
  v.field("range", "how static activation ranges are chosen: absmax, percentile, mse or entropy",
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

QuantizeResult quantize(const QuantizeOptions& options, Context& context) {
  const Scheme scheme = parse_scheme(options.scheme);
  require_option(options.out, "out", "a directory to write");
  const bool is_static = scheme.activation == ActivationQuant::kStaticTensor;
  if (!scheme.quantized()) {
    throw UsageError("--scheme " + options.scheme, "a quantized scheme",
                     "use octet convert to change formats");
  }
  if (is_static && options.calib.empty()) {
    throw UsageError("no --calib for w8a8-static", "a calibration store",
                     "run octet calibrate first and pass its file with --calib");
  }
  const ModelConfig config = open_config(options.model);
  if (config.quantized) {
    throw UsageError(fmt::format("{} is quantized already", options.model), "a float model",
                     "quantize the checkpoint it was made from");
  }
  const Topology topology = make_model(config)->topology();
  const StaticInputs inputs = is_static ? static_inputs(options) : StaticInputs();
  QuantizeResult result{options.out, plan_modules(topology, inputs),
                        weight_file_bytes(options.model), 0, false};
  StageDir stage(options.out, stage_key(options));
  result.reused = stage.complete();
  if (!result.reused) {
    const auto source = open_weights(options.model);
    Progress progress(context.log, "quantize " + options.scheme,
                      static_cast<int64_t>(result.plan.size()));
    write_compressed_tensors(stage.path(), topology, scheme, *source, inputs, [&] {
      context.stop.check("run the same command again");
      progress.advance();
    });
    copy_companions(options.model, stage.path());
    write_file(stage.path() / "config.json",
               quantized_config(config_text(options.model), scheme, result.plan));
    stage.commit();
  }
  result.bytes_after = weight_file_bytes(options.out);
  return result;
}

}  // namespace octet
