// octet run: calibrate, quantize, fine-tune, eval, bench and report as one job that goes on where
// it stopped.
#pragma once
#include <cstdint>
#include <string>

#include "core/context.h"
#include "core/options.h"

namespace octet {

struct RunOptions : Options {
  std::string model, data, calib_data, train_data, valid_data, eval_data, out, name;
  std::string schemes = "w8a8-dynamic,w8a8-static,w8a16", head = "keep";
  std::string range = "mse";
  double percentile = 99.99;
  int64_t samples = 128, calib_length = 512, eval_length = 1024, windows = -1, seed = 0;
  int64_t finetune = 0, batch_tokens = 2048;
  std::string finetune_schemes;
  double lr = 1e-5;
  bool learn_scales = false;
  int64_t prefill = 512, decode = 64, items = 128, batch = 32, beam = 4, rounds = 5;
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
