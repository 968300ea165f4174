// Named precisions of a site.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/codebook.h"
#include "models/format.h"

namespace octet {

/// How a weight is stored.
struct WeightFormat {
  Dtype element =
      Dtype::kF16;    ///< of codes (kernels/codebook.h), or float: as the checkpoint has it
  int64_t group = 0;  ///< weights along K that share a scale; 0: one scale an output channel
  bool operator==(const WeightFormat&) const = default;
};

/// What a scheme name means: the elements and scales of weights, and what happens to inputs.
struct Scheme {
  std::string name = "fp16";
  WeightFormat weight;
  Format input;
  bool quantized() const { return has_codebook(weight.element); }
  bool weight_only() const { return quantized() && !input.quantized(); }
  bool operator==(const Scheme&) const = default;
};

/// "fp16", "w8a8-dynamic", "w8a8-static", "w8a16", "w4a16-gN" with N a positive multiple of 8;
/// UsageError naming them otherwise.
Scheme parse_scheme(const std::string& name);
/// All of them; "w4a16-gN" stands for its groups.
std::vector<std::string> scheme_names();

/// Precision of the output head by option value: "keep", "w8a16", or "w8a8" (dynamic: calibration
/// sees the blocks alone). UsageError otherwise.
Scheme parse_head(const std::string& value);

}  // namespace octet
