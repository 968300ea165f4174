// What evaluations hand to tables and reports: scores of a task with intervals, the comparison
// position by position, and outputs that changed. docs/scores.md says how each is computed.
#pragma once
#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/statistics.h"

namespace octet {

/// One score of one model, in percent, larger is better; values that need a reference model are NaN
/// without one. Intervals are 95 % intervals.
struct TaskScore {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  std::string metric;     ///< "BLEU", "chrF2" or "accuracy"
  std::string signature;  ///< how it was taken: two figures compare only if it is the same
  double value = 0, low = 0, high = 0;
  double reference = kNone;                                     ///< value of the reference model
  double delta = kNone, delta_low = kNone, delta_high = kNone;  ///< value - reference, paired
  double p_value = kNone;          ///< of the hypothesis that the two models differ by chance
  int64_t better = 0, worse = 0;   ///< changed outputs by their own score beside the reference's
  int64_t changed = 0, total = 0;  ///< outputs that are not the reference model's, all outputs

  bool has_reference() const;
  /// Statistically significant: p < 0.05, and the interval of delta does not contain 0.
  bool significant() const;
  /// A significant loss.
  bool lost() const { return significant() && delta < 0; }
};

/// Whether the likelihood of the data fell beyond chance: the interval of ln(perplexity ratio) lies
/// above 0.
bool lost(const Comparison& comparison);

/// Share of a loss that tuning recovered, (before - after) / before, e.g. of the mean KL; negative
/// where tuning made it worse. Nothing unless before > 0. To be shown only where `before` is of a
/// variant that lost.
std::optional<double> recovery(double before, double after);

/// A sample whose output changed.
struct OutputExample {
  int64_t index = 0;                      ///< of the sample in the data
  std::string source;                     ///< what was given
  std::string target;                     ///< the right answer
  std::string reference;                  ///< what the reference model gave
  std::string output;                     ///< what this model gave
  double score = 0, reference_score = 0;  ///< of both outputs: sentence BLEU, or 100 where right
};

/// All that was found out about one model.
struct TaskScores {
  std::string task;                      ///< "language", "translation" or "vision"
  std::string scheme;                    ///< as loaded: "float32", "w8a8-dynamic", ...
  std::string signature;                 ///< of the comparison: data, samples, arithmetic
  std::optional<Comparison> comparison;  ///< teacher-forced NLL, and KL against the reference model
  std::vector<TaskScore> scores;         ///< the main one first; empty for language models
  std::vector<OutputExample> examples;   ///< most changed first

  /// The score of that name, or null.
  const TaskScore* find(const std::string& metric) const;
};

/// NaN becomes null.
nlohmann::json to_json(const TaskScore& score);
nlohmann::json to_json(const TaskScores& scores);

/// The inverse; `what` names the file in errors. Error for JSON of another form.
TaskScores task_scores_from(const nlohmann::json& json, const std::string& what);

/// The inverse of to_json(Comparison).
Comparison comparison_from(const nlohmann::json& json);

}  // namespace octet
