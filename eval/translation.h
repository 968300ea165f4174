// Compares translation models: their translations, and the likelihood of the correct translation.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "datasets/pairs.h"
#include "eval/evaluate.h"
#include "eval/task_scores.h"

namespace octet {

/// What is translated, opened once for all models: the first pairs of DATA.
struct TranslationData {
  const SourceModel* model;         ///< whose tokenizer and generation settings are used
  std::vector<SentencePair> pairs;  ///< as many as `forced` uses
  EvalData forced;                  ///< the same as samples with the right answers given
};

/// DATA (parallel: or gettext:, of data with splits the test split); count: pairs to use, 0 for
/// all. `model` must outlive it. Error for data without pairs.
TranslationData open_translation_data(const SourceModel& model, const std::string& data,
                                      int64_t count, Context& context);

/// How sentences are translated and scored.
struct TranslationSettings {
  int64_t beams = 4;   ///< 1: greedy
  int64_t batch = 32;  ///< sentences at once
  uint64_t seed = 0;   ///< of the standard errors of the comparison; BLEU's is sacreBLEU's own
};

struct TranslationEvaluation {
  TaskScores scores;                 ///< BLEU, chrF2, comparison, most changed sentences
  std::vector<std::string> outputs;  ///< a translation of each pair's source
  double seconds = 0;                ///< of translating
  int64_t target_tokens = 0;         ///< of the outputs
  Evaluation forced;                 ///< the comparison's time and counters
};

/// Each model against `reference` unless null; it may be one of them, whose scores then stand
/// alone. UsageError unless 1 to 64 beams.
std::vector<TranslationEvaluation> evaluate_translations(const std::vector<LoadedModel*>& models,
                                                         LoadedModel* reference,
                                                         const TranslationData& data,
                                                         const TranslationSettings& settings,
                                                         Context& context);

/// `octet eval` of a translation model.
TranslationEvaluation evaluate_translation(const SourceModel& model, const EvalOptions& options,
                                           Context& context);

}  // namespace octet
