// The stage `octet calibrate`: walks a float model block by block over sample windows, with one
// block's weights in memory, and stores what each site's input looked like.
#pragma once
#include <cstdint>
#include <string>

#include "calib/store.h"
#include "core/context.h"
#include "core/options.h"

namespace octet {

class SourceModel;

struct CalibrateOptions : Options {
  std::string model, data, out;
  int64_t samples = 128, length = 512, unit = 8, seed = 0;
  std::string shard = "0/1";
  std::string dtype = "float32";
  double hidden_memory = -1;  ///< GiB; see MemoryBudget. Negative: memory_budget()
  void visit(OptionVisitor& v) override;
};

struct CalibrateResult {
  CalibrationStore store;
  bool reused = false;  ///< OUT already existed, made from the same inputs
};

/// Calibrates `model`, which options.model names, and writes OUT (HDF5). Working files live in
/// OUT.partial/; restarted after a kill, the walk resumes after the last complete block (units
/// whose hidden states were in memory run up to there again) and ends with the same bits. Errors:
/// data too short, options that differ from the started run.
CalibrateResult calibrate(const SourceModel& model, const CalibrateOptions& options,
                          Context& context);

}  // namespace octet
