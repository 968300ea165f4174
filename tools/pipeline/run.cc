#include "tools/pipeline/run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/atomic_file.h"
#include "core/io/input_file.h"
#include "core/io/stage_dir.h"
#include "core/version.h"
#include "models/architectures/registry.h"
#include "models/source_model.h"
#include "tools/pipeline/assemble.h"

namespace octet {
namespace {

nlohmann::json stage_key(const SourceModel& model, const RunOptions& options, const RunData& data,
                         const Context& context) {
  nlohmann::json key = to_json(options);
  key.erase("out");
  key["octet"] = kVersion;
  key["device"] = context.device;
  key["model_fingerprint"] = model.fingerprint();
  key.update(run_data_identity(data));
  return key;
}

}  // namespace

void RunOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a Hugging Face directory or a .gguf file with float weights", model);
  v.field("data",
          "stands in for each of the four below that is not named; of data with splits each "
          "takes its own",
          data);
  v.field("calib-data", "for calibration", calib_data);
  v.field("train-data", "for fine-tuning (default: that of calibration)", train_data);
  v.field("valid-data", "to choose the best step of fine-tuning by", valid_data);
  v.field("eval-data", "for the scores that are reported", eval_data);
  v.field("schemes", "schemes to compare, joined by commas", schemes);
  v.field("head", "output head: keep, w8a16 or w8a8", head);
  v.field("out", "directory for models, report.json, report.md and report.html", out);
  v.field("name", "what the report calls the model", name);
  v.field("range", "static activation ranges: absmax, percentile, mse or entropy", range);
  v.field("percentile", "for --range percentile, in percent", percentile);
  v.field("samples", "samples of calibration", samples);
  v.field("calib-length", "tokens in a window of calibration and fine-tuning", calib_length);
  v.field("eval-length", "tokens in a window of evaluation", eval_length);
  v.field("windows", "samples of evaluation, 0 for all; -1: 16 windows of text, all of other data",
          windows);
  v.field("seed", "of sampling and bootstrap", seed);
  v.field("finetune",
          "steps of fine-tuning that each variant gets beside plain quantization, 0 for "
          "none",
          finetune);
  v.field("finetune-schemes", "schemes that are fine-tuned, joined by commas (default: all)",
          finetune_schemes);
  v.field("lr", "highest learning rate of fine-tuning 4-bit weights; a tenth of it for 8-bit ones",
          lr);
  v.field("batch-tokens", "padded tokens in a step of fine-tuning", batch_tokens);
  v.field("learn-scales", "learn the scales, too", learn_scales);
  v.field("prefill", "language models: tokens of the timed prompt", prefill);
  v.field("decode", "language models: tokens timed one by one behind it", decode);
  v.field("items", "others: sentences or images in a turn of the timing", items);
  v.field("batch", "others: sentences or images in a batch", batch);
  v.field("beam", "translation models: hypotheses a sentence, 1 for greedy search", beam);
  v.field("rounds", "turns of each model in the timing", rounds);
}

RunResult run_pipeline(const RunOptions& options, Context& context) {
  require_option(options.out, "out", "a directory to write");
  const SourceModel model(options.model);
  const TaskKind task = task_kind(model.config());
  const RunData data = run_data(options, task);
  StageDir stage(options.out, stage_key(model, options, data, context));
  const std::filesystem::path out = options.out;
  RunResult result{out / "report.json", out / "report.md", out / "report.html", "",
                   stage.complete()};
  if (!stage.complete()) {
    Stages stages(model, options, task, data, context, stage);
    stages.run();
    const Report report = assemble_report(model, options, task, stages, context);
    write_report(report, stage.path());
    write_file(stage.path() / "table.txt", report_text(report));
    stage.commit();
  }
  result.table = read_file(out / "table.txt");
  return result;
}

}  // namespace octet
