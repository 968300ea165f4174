// The stage `octet quantize`: a float model becomes a compressed-tensors directory.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/options.h"
#include "quant/export/compressed_tensors.h"

namespace octet {

struct QuantizeOptions : Options {
  std::string model, out, calib;
  std::string scheme = "w8a8-dynamic";
  std::string range = "mse";
  double percentile = 99.99;
  double outlier_ratio = 5;
  void visit(OptionVisitor& v) override;
};

struct QuantizeResult {
  std::string directory;
  std::vector<ModulePlan> plan;
  uint64_t bytes_before = 0, bytes_after = 0;  ///< of the weight files
  bool reused = false;  ///< the directory stood already, made from the same inputs
};

/// Writes OUT.partial/ and renames it. Errors leave nothing under OUT.
QuantizeResult quantize(const QuantizeOptions& options, Context& context);

}  // namespace octet
