// Translations to scores: BLEU and chrF2 with intervals, and what changed beside a reference
// model's translations of the same sentences.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "datasets/pairs.h"
#include "eval/bootstrap.h"
#include "eval/task_scores.h"

namespace octet {

struct TranslationScores {
  std::vector<TaskScore> scores;        ///< BLEU, chrF2
  std::vector<OutputExample> examples;  ///< scored by sentence BLEU
};

/// `outputs`: the translation of each pair's source; `reference`: another model's, or empty. An
/// output counts as changed where it is another text; `better` and `worse` count the changed ones
/// by their sentence scores. Examples are the up to `examples` outputs least like the reference
/// model's, by chrF2 between the two. Error unless there is an output for each pair, at least one.
TranslationScores score_translations(std::span<const SentencePair> pairs,
                                     std::span<const std::string> outputs,
                                     std::span<const std::string> reference,
                                     const BootstrapOptions& bootstrap = {}, size_t examples = 20);

}  // namespace octet
