#include "quant/scheme.h"

#include <fmt/ranges.h>

#include "core/error.h"

namespace octet {
namespace {
const std::vector<Scheme>& schemes() {
  static const std::vector<Scheme> all = {{"fp16", 16, ActivationQuant::kNone},
                                          {"w8a8-dynamic", 8, ActivationQuant::kDynamicToken},
                                          {"w8a8-static", 8, ActivationQuant::kStaticTensor},
                                          {"w8a16", 8, ActivationQuant::kNone}};
  return all;
}
}  // namespace

Scheme parse_scheme(const std::string& name) {
  for (const Scheme& scheme : schemes()) {
    if (scheme.name == name) return scheme;
  }
  throw UsageError(fmt::format("scheme \"{}\"", name),
                   fmt::format("one of {}", fmt::join(scheme_names(), ", ")), "choose one of them");
}

std::vector<std::string> scheme_names() {
  std::vector<std::string> names;
  for (const Scheme& scheme : schemes()) names.push_back(scheme.name);
  return names;
}

}  // namespace octet
