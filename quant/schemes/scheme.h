// Named precisions of a site.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace octet {

enum class ActivationQuant { kNone, kDynamicToken, kStaticTensor };

/// What a scheme name means: bits and scales of weights, and what happens to activations.
struct Scheme {
  std::string name = "fp16";
  int weight_bits = 16;
  ActivationQuant activation = ActivationQuant::kNone;
  int64_t group = 0;  ///< weights along K that share a scale; 0: one scale an output channel
  bool quantized() const { return weight_bits < 16; }
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
