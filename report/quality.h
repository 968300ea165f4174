// The loss of a variant relative to the reference, whether it is significant, and how much
// fine-tuning recovered.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "report/report.h"

namespace octet {

enum class Significance {
  kUnknown,  ///< no interval, so no statement is possible
  kNoise,    ///< the 95 % interval of the change holds 0, or p >= 0.05
  kLoss,
  kGain
};

/// "not known", "noise", "real loss" or "real gain".
const char* to_string(Significance significance);

/// A change of the measure that the task is judged by: its first score (BLEU, accuracy) or, where
/// there is none, perplexity in percent.
struct QualityChange {
  std::string measure, unit;  ///< "BLEU" and "", "accuracy" and "points", "perplexity" and "%"
  double change = 0;          ///< variant - reference
  double low = 0, high = 0, p = 0;  ///< 95 % interval; NaN where not known
  bool more_is_better = true;
  Significance significance = Significance::kUnknown;
  double loss() const { return more_is_better ? -change : change; }  ///< above 0: worse
  /// The end of the interval that is worse, as a loss; the loss itself without an interval.
  double worst() const;
};

/// Empty for the reference and for what was not measured.
std::optional<QualityChange> quality_change(const Report& report, const VariantResult& variant);

/// "BLEU -0.06 [-0.31, +0.18], p = 0.62"; "perplexity +0.4 % [+0.2 %, +0.6 %]".
std::string to_string(const QualityChange& change);

/// What fine-tuning did to one measure of the variant it started from.
struct Recovery {
  std::string variant, from;
  std::string measure, unit;
  double before = 0, after = 0;  ///< losses against the reference
  std::optional<double>
      percent;       ///< of `before` that was recovered; only where `before` is significant
  std::string line;  ///< one sentence
};

/// For every tuned variant: the measure that is judged by, and the mean KL (significant where it is
/// more than 1.96 standard errors above 0).
std::vector<Recovery> recoveries(const Report& report);

}  // namespace octet
