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

RunOptions::RunOptions() {
  finetune.trainer.steps = 0;
  finetune.batch_tokens = 2048;
  eval.windows = -1;
}

void RunOptions::visit(OptionVisitor& v) {
  visit_chosen(quantize, {{"MODEL"}}, v);
  v.field(
      "data",
      "data for each of the four purposes below that has none of its own; if it has splits, each "
      "purpose reads the split meant for it",
      data);
  visit_chosen(calibrate, {{"data", "calib-data", "data for calibration"}}, v);
  visit_chosen(finetune,
               {{"data", "train-data", "data for fine-tuning (default: that of calibration)"},
                {"eval-data", "valid-data", "data for choosing the best step of fine-tuning"}},
               v);
  visit_chosen(eval, {{"data", "eval-data", "data for the scores in the report"}}, v);
  v.field("schemes", "schemes to compare, separated by commas", schemes);
  visit_chosen(quantize,
               {{"head"}, {"layer"}, {"ignore"}, {"range"}, {"percentile"}, {"outlier-ratio"}}, v);
  v.field("out", "directory to write: models, report.json, report.md and report.html", out);
  v.field("name", "what the report calls the model (default: the name of its directory)", name);
  visit_chosen(calibrate,
               {{"samples", "", "calibration: {}"},
                {"length", "calib-length", "calibration and fine-tuning: {}"},
                {"seed", "", "calibration: {}; also seeds the bootstrap of the evaluation"}},
               v);
  visit_chosen(eval,
               {{"length", "eval-length", "evaluation: {}"},
                {"windows", "", "evaluation: {}; -1 for 16 windows of text and all of other data"}},
               v);
  visit_chosen(
      finetune,
      {{"steps", "finetune", "fine-tune each variant for this many optimizer steps, 0 for none"}},
      v);
  v.field("finetune-schemes", "schemes to fine-tune, separated by commas (default: all)",
          finetune_schemes);
  visit_chosen(finetune,
               {{"lr", "", "fine-tuning: {} for 4-bit weights; 8-bit weights take a tenth of it"},
                {"batch-tokens", "", "fine-tuning: padded tokens in a batch"},
                {"learn-scales", "", "fine-tuning: {}"}},
               v);
  visit_chosen(bench,
               {{"prefill", "", "timing: {}"},
                {"decode", "", "timing: {}"},
                {"items", "", "timing: {}"},
                {"batch", "", "evaluation and timing: {}"},
                {"beam", "", "evaluation and timing: {}"},
                {"rounds", "", "timing: {}"}},
               v);
}

RunResult run_pipeline(const RunOptions& options, Context& context) {
  require_option(options.out, "out", "a directory to write");
  const SourceModel model(options.quantize.model);
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
