// octet run: calibrate, quantize, eval, bench and report as one job that goes on where it stopped.
#pragma once
#include <cstdint>
#include <string>

#include "core/context.h"
#include "core/options.h"

namespace octet {

struct RunOptions : Options {
  std::string model, calib_data, eval_data, out, name;
  std::string schemes = "w8a8-dynamic,w8a8-static,w8a16";
  std::string range = "mse";
  double percentile = 99.99;
  int64_t samples = 128, calib_length = 512, eval_length = 1024, windows = 16, seed = 0;
  int64_t prefill = 512, decode = 64, rounds = 5;
  void visit(OptionVisitor& v) override;
};

struct RunResult {
  std::string json_path, markdown_path;
  std::string table;    ///< for the terminal
  bool reused = false;  ///< nothing was left to do
};

/// Fills OUT.partial/ (calib.h5, models/SCHEME/, eval.json, bench.json), adds report.json,
/// report.md and table.txt, and renames it to OUT. Finished stages are kept and skipped; other
/// inputs or options are refused.
RunResult run_pipeline(const RunOptions& options, Context& context);

}  // namespace octet
