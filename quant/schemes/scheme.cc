#include "quant/schemes/scheme.h"

#include <fmt/ranges.h>

#include <charconv>
#include <optional>

#include "core/error.h"

namespace octet {
namespace {

constexpr std::string_view kGrouped = "w4a16-g";
constexpr int64_t kGroupStep = 8, kLargestGroup = int64_t{1} << 20;

const std::vector<Scheme>& fixed_schemes() {
  static const std::vector<Scheme> all = {{"fp16", {}, Format::kFloat},
                                          {"w8a8-dynamic", {Dtype::kI8}, Format::kInt8Token},
                                          {"w8a8-static", {Dtype::kI8}, Format::kInt8Tensor},
                                          {"w8a16", {Dtype::kI8}, Format::kFloat}};
  return all;
}

std::optional<int64_t> group_of(std::string_view digits) {
  int64_t group = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, group);
  const bool plain = !digits.empty() && digits.front() != '0' && digits.front() != '-';
  if (!plain || error != std::errc() || stop != end) return std::nullopt;
  if (group > kLargestGroup || group % kGroupStep != 0) return std::nullopt;
  return group;
}

}  // namespace

Scheme parse_scheme(const std::string& name) {
  for (const Scheme& scheme : fixed_schemes()) {
    if (scheme.name == name) return scheme;
  }
  if (name.starts_with(kGrouped)) {
    if (const auto group = group_of(std::string_view(name).substr(kGrouped.size()))) {
      return {name, {Dtype::kI4, *group}, Format::kFloat};
    }
  }
  throw UsageError(
      fmt::format("scheme \"{}\"", name),
      fmt::format("one of {} (N a multiple of {})", fmt::join(scheme_names(), ", "), kGroupStep),
      "choose one of them, e.g. w4a16-g64");
}

std::vector<std::string> scheme_names() {
  std::vector<std::string> names;
  for (const Scheme& scheme : fixed_schemes()) names.push_back(scheme.name);
  names.push_back(std::string(kGrouped) + "N");
  return names;
}

Scheme parse_head(const std::string& value) {
  if (value == "keep") return parse_scheme("fp16");
  if (value == "w8a16") return parse_scheme("w8a16");
  if (value == "w8a8") return parse_scheme("w8a8-dynamic");
  throw UsageError("--head " + value, "keep, w8a16 or w8a8", "choose one of them");
}

}  // namespace octet
