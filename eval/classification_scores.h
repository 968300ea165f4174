// Answers of a classifier to scores: accuracy with intervals, and what changed beside a reference
// model's answers to the same images.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eval/task_scores.h"

namespace octet {

struct ClassificationScores {
  TaskScore accuracy;  ///< interval: Wilson's; of the difference: normal, paired; p: exact McNemar
  std::vector<OutputExample> examples;
};

/// `targets` and `answers`: a class of each image; `reference`: another model's answers, or empty.
/// labels: names of the classes. Examples are up to `examples` images whose answer changed: first
/// those that the reference model had right, then those that it had wrong and this one right.
/// Error unless there is an answer to each image, at least one.
ClassificationScores score_classification(std::span<const std::string> labels,
                                          std::span<const int64_t> targets,
                                          std::span<const int64_t> answers,
                                          std::span<const int64_t> reference, size_t examples = 20);

}  // namespace octet
