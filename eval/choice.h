// Multiple choice: the answer that a model finds most likely relative to its length, and how the
// answers of a quantized model differ from those of its reference.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/log.h"
#include "datasets/records.h"
#include "datasets/text.h"
#include "quant/load_model.h"

namespace octet {

/// A choice as tokens: `ids` is context and choice, the last `scored` of them the choice's.
struct ChoiceTokens {
  std::vector<int64_t> ids;
  int64_t scored = 0;
  int64_t bytes = 0;  ///< of the choice in UTF-8: what the log-likelihood is divided by
};

/// The tokens of a choice are those of context + choice
/// behind as many as the context has alone, white space at its end counted to the choice
/// (lm-evaluation-harness, api/model.py, _encode_pair). Of a longer question the last `length`
/// tokens are kept. `bos` >= 0 is put in front. Error when a choice has no token of its own or
/// leaves no room for one before it.
ChoiceTokens tokenize_choice(const ChoiceItem& item, size_t choice, const EncodeFunction& encode,
                             int64_t bos, int64_t length);

/// What one model answered, by question.
struct ChoiceAnswers {
  std::vector<int64_t> chosen;  ///< index of the largest log-likelihood a byte; the first of equals
  std::vector<uint8_t> correct;  ///< 1 where that is the label
};

/// Two-sided exact McNemar test: the probability, if right-to-wrong and wrong-to-right were equally
/// likely, of counts at least as unequal as these. 1 when both are 0. Error for negative counts.
double mcnemar_exact(int64_t lost, int64_t won);

struct ChoiceResult {
  int64_t questions = 0;
  double accuracy = 0, accuracy_se = 0;  ///< se: sqrt(p (1 - p) / (n - 1)), NaN for one question
  bool has_reference = false;
  double ref_accuracy = 0;
  int64_t lost = 0;     ///< right in the reference, wrong here
  int64_t won = 0;      ///< wrong in the reference, right here
  int64_t changed = 0;  ///< another answer, right or wrong
  double p_value = 1;   ///< mcnemar_exact(lost, won)
  int64_t flips() const { return lost + won; }
};

/// `reference` may be null. Error unless both answered the same number of questions, at least one.
ChoiceResult compare_choices(const ChoiceAnswers& model, const ChoiceAnswers* reference);
nlohmann::json to_json(const ChoiceResult& result);

/// All of `items` through `model`.
ChoiceAnswers answer_choices(LoadedModel& model, std::span<const std::vector<ChoiceTokens>> items,
                             std::span<const int64_t> labels, Progress& progress, Context& context);

struct ChoiceEvaluation {
  std::string scheme, signature;
  ChoiceResult result;
};

struct EvalOptions;
/// `octet eval --data choice:FILE`; options.windows limits the questions.
ChoiceEvaluation evaluate_choices(const SourceModel& model, const EvalOptions& options,
                                  Context& context);

}  // namespace octet
