// How the report's parts look things up and write figures.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/report.h"

namespace octet {

inline constexpr const char* kNone = "-";  ///< shown for what was not measured

/// Throws Error unless the names in the report are consistent.
void check_report(const Report& report);
nlohmann::json provenance_of(const Report& report);

/// Throws Error if there is none.
const VariantResult& find_variant(const Report& report, const std::string& name);
bool is_baseline(const Report& report, const VariantResult& variant);

std::string number(double value, int digits);                 ///< kNone if not finite
std::string brief(double value);                              ///< at most three significant digits
std::string probability(double p);                            ///< "= 0.62" or "< 0.001"
std::string megabytes(const std::optional<uint64_t>& bytes);  ///< 1 MB = 10^6 bytes
std::string json_key(const std::string& name);  ///< one step of a JSON pointer, escaped
std::string join(const std::vector<std::string>& words);

/// What one item costs: a sentence, an image, or a token behind the prompt.
struct Cost {
  double ms = 0;
  double noise = 0;  ///< relative: two standard errors; 0 when not known
};
std::optional<Cost> cost_of(const VariantResult& variant);
/// "sentence", "image" or "token".
const char* item_of(const Report& report);
/// Relative standard error of a mean latency; 0 when not known.
double relative_error(const LatencyStats& ms);

/// Measurements that a variant lacks, so that "no loss" cannot mean "not measured".
std::vector<std::string> gaps(const Report& report);

/// The losses, or that there are none; then the gaps.
std::vector<std::string> head_lines(const Report& report);

}  // namespace octet
