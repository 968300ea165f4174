#include "quant/quantize.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "calib/range.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/io/atomic_file.h"
#include "core/io/file_identity.h"
#include "core/io/stage_dir.h"
#include "core/version.h"
#include "models/source_model.h"
#include "quant/formats/compressed_tensors/compressed_tensors.h"
#include "quant/formats/compressed_tensors/quantization_config.h"
#include "quant/quantize_job.h"
#include "quant/stream/stream_writer.h"

namespace octet {
namespace {

// Sizes and times of the weight files: what is half done from others must not be gone on with.
nlohmann::json weight_files(const std::filesystem::path& model) {
  nlohmann::json weights = nlohmann::json::object();
  const nlohmann::json files = file_identity(model);
  for (const auto& [name, identity] : files.items()) {
    if (name.ends_with(".safetensors") || name.ends_with(".gguf")) weights[name] = identity;
  }
  return weights;
}

nlohmann::json stage_key(const SourceModel& model, const QuantizeOptions& options) {
  nlohmann::json key = to_json(options);
  for (const char* without_effect : {"out", "max-memory"}) key.erase(without_effect);
  key.update(input_identity(model, options.calib));
  return key;
}

uint64_t memory_limit(const QuantizeOptions& options) {
  if (!(options.max_memory > 0 && options.max_memory <= 1 << 20)) {
    throw UsageError(fmt::format("--max-memory {}", options.max_memory), "GiB, more than 0",
                     "leave it out to use at most 2 GiB");
  }
  return static_cast<uint64_t>(options.max_memory * 0x1p30);
}

// Everything that `octet verify` checks.
nlohmann::json describe_content(const std::filesystem::path& folder, const StreamResult& written,
                                const std::string& left_out) {
  nlohmann::json tensors = nlohmann::json::object(), files = nlohmann::json::object();
  std::set<std::string> weights;
  for (const auto& [name, hash] : written.hashes) {
    const std::string& file = written.files.at(name);
    tensors[name] = {{"file", file}, {"sha256", hash}};
    weights.insert(file);
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string file = entry.path().filename();
    if (weights.contains(file) || file == kStreamJournal || file == StageDir::kManifest ||
        file == left_out) {
      continue;
    }
    files[file] = sha256_file(entry.path());
  }
  return {{"tensors", tensors}, {"files", files}};
}

}  // namespace

nlohmann::json input_identity(const SourceModel& model, const std::string& calib) {
  nlohmann::json key;
  key["octet"] = kVersion;
  key["input"] = model.fingerprint();
  key["weights"] = weight_files(model.path());
  if (!calib.empty()) key["calib_identity"] = file_identity(calib);
  return key;
}

StreamResult write_checkpoint(StageDir& stage, const SourceModel& model, TensorSource& source,
                              const std::vector<StreamItem>& items, const std::string& config,
                              const StreamOptions& limits, const std::string& left_out,
                              Context& context) {
  const StreamResult written = write_stream(stage.path(), source, items, limits, context);
  copy_companions(model, stage.path());
  write_file(stage.path() / "config.json", config);
  stage.describe(describe_content(stage.path(), written, left_out));
  stage.commit();
  return written;
}

void QuantizeOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a Hugging Face directory or a .gguf file with float weights", model);
  v.field("scheme", "w8a8-dynamic, w8a8-static, w8a16 or w4a16-gN (N weights share a scale)",
          scheme);
  v.field("head",
          "scheme of the output head: keep, w8a16 or w8a8 (per token); a tied head is copied first",
          head);
  v.field(
      "layer",
      "REGEX=SCHEME, repeatable: use SCHEME for layers whose name matches REGEX from its start, "
      "and for all layers that share their input; the last match wins",
      layer);
  v.field("ignore",
          "REGEX, repeatable: keep layers whose name matches in floating point; overrides --layer",
          ignore);
  v.field("calib", "calibration store, required for w8a8-static", calib);
  v.field(
      "range",
      "how to choose ranges: absmax or mse for 4-bit weights and static activations; percentile "
      "or entropy for static activations only (4-bit weights then use mse); 8-bit weights "
      "always use absmax. For activations mse minimizes the mean squared error; for 4-bit "
      "weights it minimizes the sum of the fourth powers of the errors, which weighs large "
      "errors more",
      range);
  v.field("percentile", "for --range percentile: share of the values inside the range, in percent",
          percentile);
  v.field("outlier-ratio",
          "w8a8-static: quantize an input per token if its largest value exceeds the 99th "
          "percentile of the token maxima by more than this factor; 0 for never",
          outlier_ratio);
  v.field("out", "directory to write", out);
  v.field("max-memory", "memory that the process may use, in GiB", max_memory);
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

QuantizeResult quantize(const SourceModel& model, const QuantizeOptions& options,
                        Context& context) {
  require_option(options.out, "out", "a directory to write");
  StreamOptions limits;
  limits.max_memory = memory_limit(options);
  QuantizeJob job = make_job(model, options, context.log);
  QuantizeResult result;
  result.directory = options.out;
  result.plan = std::move(job.plan);
  result.kept = std::move(job.kept);
  result.vllm = std::move(job.vllm);
  result.bytes_before = model.weight_file_bytes();
  StageDir stage(options.out, stage_key(model, options));
  result.reused = stage.complete();
  if (!result.reused) {
    const auto items = stream_items(*job.source, result.plan, job.scale_type);
    result.resumed =
        write_checkpoint(stage, model, *job.source, items,
                         quantized_config(model.config_text(), result.plan), limits, "", context)
            .resumed;
  }
  // A kill right behind commit() leaves it.
  std::filesystem::remove(std::filesystem::path(options.out) / kStreamJournal);
  result.bytes_after = weight_file_bytes(options.out);
  return result;
}

}  // namespace octet
