// Named precisions of a site.
#pragma once
#include <string>
#include <vector>

namespace octet {

enum class ActivationQuant { kNone, kDynamicToken, kStaticTensor };

/// What a scheme name means: weight bits per output channel, and what happens to activations.
struct Scheme {
  std::string name;
  int weight_bits = 16;
  ActivationQuant activation = ActivationQuant::kNone;
  bool quantized() const { return weight_bits < 16; }
};

/// "fp16", "w8a8-dynamic", "w8a8-static", "w8a16"; UsageError naming them otherwise.
Scheme parse_scheme(const std::string& name);
std::vector<std::string> scheme_names();

}  // namespace octet
