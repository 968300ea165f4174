// The verdict: which variant to take, and why each other one loses.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "report/quality.h"
#include "report/report.h"

namespace octet {

/// The largest losses that are acceptable. `kScoreLimit` is held against the worse end of the 95 %
/// interval, so that a small test set cannot hide a loss.
inline constexpr double kScoreLimit = 0.5;        ///< BLEU or points of accuracy
inline constexpr double kPerplexityLimit = 1.0;   ///< percent
inline constexpr double kDivergenceLimit = 0.05;  ///< mean KL, nats

struct VariantVerdict {
  std::string variant;
  bool recommended = false;
  bool acceptable = false;  ///< its quality holds
  std::string why;          ///< one sentence
};

struct Verdict {
  std::string recommended;  ///< a variant's name; empty when there is nothing to choose from
  std::string headline;     ///< "Take NAME"
  std::string detail;       ///< what that gives and loses; may be empty
  std::string rule;         ///< how it was chosen
  std::vector<VariantVerdict> variants;  ///< in the report's order
};

/// Quality is acceptable if the loss is within its limit (language models: both KL and perplexity),
/// or if it is noise and the KL is within its limit; the reference and the baselines are acceptable
/// by definition. Among those the smallest size x latency wins; where timing noise cannot separate
/// two, the smaller loss does. What no variant that holds has (size or latency) is left out of the
/// product.
Verdict verdict(const Report& report);

}  // namespace octet
