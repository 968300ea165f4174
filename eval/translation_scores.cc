#include "eval/translation_scores.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace octet {
namespace {

// Statistics of a model's outputs sentence by sentence.
struct Outputs {
  std::vector<BleuStats> bleu;
  std::vector<ChrfStats> chrf;
  Outputs(std::span<const SentencePair> pairs, std::span<const std::string> texts) {
    for (size_t i = 0; i < texts.size(); ++i) {
      const Segment segment{texts[i], {pairs[i].target}};
      bleu.push_back(bleu_stats(segment));
      chrf.push_back(chrf_stats(segment));
    }
  }
};

TaskScore alone(const char* metric, const std::string& signature, const ResampledScore& scores,
                size_t total) {
  TaskScore score;
  score.metric = metric;
  score.signature = signature;
  score.value = scores.score, score.low = scores.low, score.high = scores.high;
  score.total = static_cast<int64_t>(total);
  return score;
}

TaskScore paired(const char* metric, const std::string& signature, const PairedScores& scores,
                 size_t total) {
  TaskScore score = alone(metric, signature, scores.system, total);
  score.reference = scores.baseline.score;
  score.delta = scores.delta;
  score.delta_low = scores.delta_low, score.delta_high = scores.delta_high;
  score.p_value = scores.p_value;
  return score;
}

// Counts the changed sentences by `score(i of the model)` beside `score(i of the reference)`.
template <class Stats, class Function>
void count_flips(TaskScore& score, const std::vector<size_t>& changed,
                 const std::vector<Stats>& mine, const std::vector<Stats>& theirs,
                 Function&& sentence_score) {
  score.changed = std::ssize(changed);
  for (const size_t i : changed) {
    const double a = sentence_score(mine[i]), b = sentence_score(theirs[i]);
    score.better += a > b ? 1 : 0;
    score.worse += a < b ? 1 : 0;
  }
}

double sentence_bleu_of(const BleuStats& stats) {
  return bleu_of(stats, true).score;
}

// Of `changed`, the `most` whose two outputs are least alike.
std::vector<size_t> least_alike(const std::vector<size_t>& changed,
                                std::span<const std::string> outputs,
                                std::span<const std::string> reference, size_t most) {
  std::vector<std::pair<double, size_t>> likeness;
  for (const size_t i : changed)
    likeness.emplace_back(sentence_chrf({outputs[i], {reference[i]}}), i);
  std::sort(likeness.begin(), likeness.end());
  likeness.resize(std::min(most, likeness.size()));
  std::vector<size_t> chosen;
  for (const auto& [score, i] : likeness) chosen.push_back(i);
  return chosen;
}

void check(size_t pairs, size_t outputs, size_t reference) {
  if (pairs > 0 && outputs == pairs && (reference == 0 || reference == pairs)) return;
  throw Error(fmt::format("{} translations and {} of the reference model of {} sentences", outputs,
                          reference, pairs),
              "a translation of each sentence, at least one", "translate all of them");
}

}  // namespace

TranslationScores score_translations(std::span<const SentencePair> pairs,
                                     std::span<const std::string> outputs,
                                     std::span<const std::string> reference,
                                     const BootstrapOptions& bootstrap, size_t examples) {
  check(pairs.size(), outputs.size(), reference.size());
  const Outputs mine(pairs, outputs);
  const std::string bleu = bleu_signature(1, false, bootstrap.resamples, bootstrap.seed);
  const std::string chrf = chrf_signature(1, bootstrap.resamples, bootstrap.seed);
  const size_t total = pairs.size();
  if (reference.empty()) {
    return {{alone("BLEU", bleu, resample_bleu(mine.bleu, bootstrap), total),
             alone("chrF2", chrf, resample_chrf(mine.chrf, bootstrap), total)},
            {}};
  }
  const Outputs theirs(pairs, reference);
  TranslationScores result{
      {paired("BLEU", bleu, compare_bleu(mine.bleu, theirs.bleu, bootstrap), total),
       paired("chrF2", chrf, compare_chrf(mine.chrf, theirs.chrf, bootstrap), total)},
      {}};
  std::vector<size_t> changed;
  for (size_t i = 0; i < total; ++i) {
    if (outputs[i] != reference[i]) changed.push_back(i);
  }
  count_flips(result.scores[0], changed, mine.bleu, theirs.bleu, sentence_bleu_of);
  count_flips(result.scores[1], changed, mine.chrf, theirs.chrf, chrf_of);
  for (const size_t i : least_alike(changed, outputs, reference, examples)) {
    result.examples.push_back({static_cast<int64_t>(i), pairs[i].source, pairs[i].target,
                               reference[i], outputs[i], sentence_bleu_of(mine.bleu[i]),
                               sentence_bleu_of(theirs.bleu[i])});
  }
  return result;
}

}  // namespace octet
