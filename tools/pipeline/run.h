// octet run: calibrate, quantize, fine-tune, eval, bench and report as one job that resumes where
// it stopped.
#pragma once
#include <string>

#include "calib/calibrate.h"
#include "eval/eval_options.h"
#include "finetune/finetune.h"
#include "quant/quantize.h"
#include "tools/bench/bench.h"

namespace octet {

/// The options of the stages, of which visit() offers a part; what a stage is told of the others'
/// results (paths, schemes, roles of the data) is filled in when it runs.
struct RunOptions : Options {
  std::string data, out, name;
  std::string schemes = "w8a8-dynamic,w8a8-static,w8a16", finetune_schemes;
  CalibrateOptions calibrate;
  QuantizeOptions quantize;  ///< of every variant, fine-tuned or not
  FinetuneOptions finetune;
  EvalOptions eval;
  BenchOptions bench;
  RunOptions();
  void visit(OptionVisitor& v) override;
};

struct RunResult {
  std::string json_path, markdown_path, html_path;
  std::string table;    ///< for the terminal
  bool reused = false;  ///< nothing was left to do
};

/// Fills OUT.partial/ (calib.h5, models/VARIANT/, eval.json, layers.json, bench.json), adds
/// report.json, report.md, report.html and table.txt, and renames it to OUT. The task (text,
/// translation, images) is the model's. Finished stages are kept and skipped; other inputs or
/// options are refused.
RunResult run_pipeline(const RunOptions& options, Context& context);

}  // namespace octet
