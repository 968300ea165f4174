#include "eval/classification_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "eval/choice.h"

namespace octet {
namespace {

constexpr double kZ = 1.959963984540054;  // 97.5 % of the normal distribution

int64_t count_right(std::span<const int64_t> targets, std::span<const int64_t> answers) {
  int64_t right = 0;
  for (size_t i = 0; i < targets.size(); ++i) right += targets[i] == answers[i] ? 1 : 0;
  return right;
}

double percent(int64_t count, double n) {
  return 100 * static_cast<double>(count) / n;
}

// Wilson's score interval: keeps its level near 0 and 100 %, where the normal one does not.
void set_interval(TaskScore& score) {
  const double n = static_cast<double>(score.total), p = score.value / 100, z2 = kZ * kZ / n;
  const double middle = (p + z2 / 2) / (1 + z2);
  const double half = kZ * std::sqrt(p * (1 - p) / n + z2 / (4 * n)) / (1 + z2);
  score.low = 100 * (middle - half), score.high = 100 * (middle + half);
}

void compare(TaskScore& score, std::span<const int64_t> targets, std::span<const int64_t> answers,
             std::span<const int64_t> reference) {
  for (size_t i = 0; i < targets.size(); ++i) {
    const bool right = answers[i] == targets[i], was_right = reference[i] == targets[i];
    score.better += right && !was_right ? 1 : 0;
    score.worse += !right && was_right ? 1 : 0;
    score.changed += answers[i] != reference[i] ? 1 : 0;
  }
  const auto n = static_cast<double>(score.total);
  const auto won = static_cast<double>(score.better), lost = static_cast<double>(score.worse);
  score.reference = percent(count_right(targets, reference), n);
  score.delta = 100 * (won - lost) / n;
  const double variance = won + lost - (won - lost) * (won - lost) / n;  // of the sum of signs
  const double half = 100 * kZ * std::sqrt(variance) / n;
  score.delta_low = score.delta - half, score.delta_high = score.delta + half;
  score.p_value = mcnemar_exact(score.worse, score.better);
}

void check(size_t targets, size_t answers, size_t reference) {
  if (targets > 0 && answers == targets && (reference == 0 || reference == targets)) return;
  throw Error(fmt::format("{} answers and {} of the reference model to {} images", answers,
                          reference, targets),
              "an answer to each image, at least one", "classify all of them");
}

// 0: was right and is not, 1: is right and was not, 2: another wrong one.
int rank(int64_t target, int64_t answer, int64_t reference) {
  return reference == target ? 0 : answer == target ? 1 : 2;
}

}  // namespace

ClassificationScores score_classification(std::span<const std::string> labels,
                                          std::span<const int64_t> targets,
                                          std::span<const int64_t> answers,
                                          std::span<const int64_t> reference, size_t examples) {
  check(targets.size(), answers.size(), reference.size());
  ClassificationScores scores;
  TaskScore& accuracy = scores.accuracy;
  accuracy.metric = "accuracy";
  accuracy.total = std::ssize(targets);
  accuracy.signature =
      fmt::format("accuracy|images:{}|interval:Wilson|test:McNemar exact", accuracy.total);
  accuracy.value = percent(count_right(targets, answers), static_cast<double>(accuracy.total));
  set_interval(accuracy);
  if (reference.empty()) return scores;
  compare(accuracy, targets, answers, reference);
  std::vector<std::pair<int, size_t>> changed;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (answers[i] != reference[i])
      changed.emplace_back(rank(targets[i], answers[i], reference[i]), i);
  }
  std::sort(changed.begin(), changed.end());
  changed.resize(std::min(examples, changed.size()));
  const auto label = [&](int64_t i) { return labels[static_cast<size_t>(i)]; };
  for (const auto& [rank, i] : changed) {
    scores.examples.push_back({static_cast<int64_t>(i), fmt::format("image {}", i),
                               label(targets[i]), label(reference[i]), label(answers[i]),
                               answers[i] == targets[i] ? 100.0 : 0.0,
                               reference[i] == targets[i] ? 100.0 : 0.0});
  }
  return scores;
}

}  // namespace octet
