#include "eval/choice.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "eval/evaluate.h"
#include "eval/score.h"
#include "models/source_model.h"
#include "text/tokenizers/tokenizer.h"

namespace octet {
namespace {

constexpr const char* kSpaces = " \t\n\r\v\f";

// Mean log-likelihood of a byte of the choice, in nats.
double likelihood(LoadedModel& model, const ChoiceTokens& tokens) {
  const auto length = static_cast<int64_t>(tokens.ids.size());
  const at::Tensor rows =
      logits_of(model, tokens.ids).narrow(0, length - 1 - tokens.scored, tokens.scored);
  const std::span<const int64_t> targets(tokens.ids);
  const WindowScores scores =
      score_positions(rows, targets.last(static_cast<size_t>(tokens.scored)));
  return -std::accumulate(scores.nll.begin(), scores.nll.end(), 0.0) /
         static_cast<double>(tokens.bytes);
}

double share(const std::vector<uint8_t>& correct) {
  return std::accumulate(correct.begin(), correct.end(), 0.0) / static_cast<double>(correct.size());
}

struct Questions {
  std::vector<std::vector<ChoiceTokens>> tokens;
  std::vector<int64_t> labels;
  int64_t all = 0, choices = 0;  ///< questions of the file, choices of those taken
  bool bos = false;
};

Questions read_questions(const SourceModel& model, const EvalOptions& options) {
  std::vector<ChoiceItem> items = read_choices(parse_data_spec(options.data));
  Questions questions;
  questions.all = static_cast<int64_t>(items.size());
  if (options.windows > 0 && options.windows < questions.all)
    items.resize(static_cast<size_t>(options.windows));
  const Tokenizer& tokenizer = model.tokenizer();
  const auto encode = [&](std::string_view text) { return tokenizer.encode(text, false); };
  questions.bos = tokenizer.adds_bos() && tokenizer.bos();
  for (const ChoiceItem& item : items) {
    auto& tokens = questions.tokens.emplace_back();
    for (size_t i = 0; i < item.choices.size(); ++i) {
      tokens.push_back(
          tokenize_choice(item, i, encode, questions.bos ? *tokenizer.bos() : -1, options.length));
    }
    questions.labels.push_back(item.label);
    questions.choices += static_cast<int64_t>(item.choices.size());
  }
  return questions;
}

}  // namespace

ChoiceTokens tokenize_choice(const ChoiceItem& item, size_t choice, const EncodeFunction& encode,
                             int64_t bos, int64_t length) {
  const std::string& text = item.choices[choice];
  const std::string context = item.context.substr(0, item.context.find_last_not_of(kSpaces) + 1);
  const std::vector<int32_t> whole = encode(item.context + text);
  const auto before = static_cast<int64_t>(encode(context).size());
  ChoiceTokens tokens;
  tokens.scored = static_cast<int64_t>(whole.size()) - before;
  tokens.bytes = static_cast<int64_t>(text.size());
  if (tokens.scored < 1 || tokens.scored >= length || before < 1) {
    throw Error(fmt::format("choice {} of \"{}\" with {} tokens behind {}", choice,
                            item.context.substr(0, 60), tokens.scored, before),
                fmt::format("1 to {} behind at least 1", length - 1),
                "correct that record or choose a greater --length");
  }
  const int64_t room = length - (bos >= 0 ? 1 : 0);
  const int64_t kept = std::min(static_cast<int64_t>(whole.size()), room);
  if (bos >= 0) tokens.ids.push_back(bos);
  tokens.ids.insert(tokens.ids.end(), whole.end() - kept, whole.end());
  return tokens;
}

double mcnemar_exact(int64_t lost, int64_t won) {
  if (lost < 0 || won < 0) {
    throw Error(fmt::format("{} lost and {} won", lost, won), "counts", "count answers first");
  }
  const auto n = static_cast<double>(lost + won);
  double tail = 0;
  for (int64_t i = 0; i <= std::min(lost, won); ++i) {
    const auto k = static_cast<double>(i);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) -
                     n * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

ChoiceResult compare_choices(const ChoiceAnswers& model, const ChoiceAnswers* reference) {
  const size_t n = model.correct.size();
  if (n == 0 || model.chosen.size() != n ||
      (reference != nullptr && (reference->correct.size() != n || reference->chosen.size() != n))) {
    throw Error(fmt::format("{} answers and {} of the reference", n,
                            reference == nullptr ? n : reference->correct.size()),
                "as many of both, at least one", "ask both models the same questions");
  }
  ChoiceResult result;
  result.questions = static_cast<int64_t>(n);
  result.accuracy = share(model.correct);
  result.accuracy_se =
      n < 2 ? std::numeric_limits<double>::quiet_NaN()
            : std::sqrt(result.accuracy * (1 - result.accuracy) / static_cast<double>(n - 1));
  if (reference == nullptr) return result;
  result.has_reference = true;
  result.ref_accuracy = share(reference->correct);
  for (size_t i = 0; i < n; ++i) {
    result.lost += reference->correct[i] > model.correct[i] ? 1 : 0;
    result.won += reference->correct[i] < model.correct[i] ? 1 : 0;
    result.changed += reference->chosen[i] != model.chosen[i] ? 1 : 0;
  }
  result.p_value = mcnemar_exact(result.lost, result.won);
  return result;
}

nlohmann::json to_json(const ChoiceResult& result) {
  nlohmann::json json = {{"questions", result.questions}, {"accuracy", result.accuracy}};
  json["accuracy_se"] =
      std::isfinite(result.accuracy_se) ? nlohmann::json(result.accuracy_se) : nlohmann::json();
  if (result.has_reference) {
    json["ref_accuracy"] = result.ref_accuracy;
    json["flips"] = result.flips();
    json["lost"] = result.lost;
    json["won"] = result.won;
    json["changed"] = result.changed;
    json["mcnemar_p"] = result.p_value;
  }
  return json;
}

ChoiceAnswers answer_choices(LoadedModel& model, std::span<const std::vector<ChoiceTokens>> items,
                             std::span<const int64_t> labels, Progress& progress,
                             Context& context) {
  const at::NoGradGuard no_gradients;
  ChoiceAnswers answers;
  for (size_t i = 0; i < items.size(); ++i) {
    std::vector<double> likelihoods;
    for (const ChoiceTokens& tokens : items[i]) {
      context.stop.check("run the same command again");
      likelihoods.push_back(likelihood(model, tokens));
      progress.advance();
    }
    const auto best = std::max_element(likelihoods.begin(), likelihoods.end());
    answers.chosen.push_back(best - likelihoods.begin());
    answers.correct.push_back(answers.chosen.back() == labels[i] ? 1 : 0);
  }
  return answers;
}

ChoiceEvaluation evaluate_choices(const SourceModel& model, const EvalOptions& options,
                                  Context& context) {
  const Questions questions = read_questions(model, options);
  EvalModels models = load_eval_models(model, options, context);
  Progress progress(context.log, "eval", questions.choices * (models.reference ? 2 : 1));
  const auto answers = [&](LoadedModel& asked) {
    return answer_choices(asked, questions.tokens, questions.labels, progress, context);
  };
  const ChoiceAnswers own = answers(models.model);
  ChoiceEvaluation evaluation;
  evaluation.scheme = models.model.scheme;
  if (models.reference) {
    const ChoiceAnswers expected = answers(*models.reference);
    evaluation.result = compare_choices(own, &expected);
  } else {
    evaluation.result = compare_choices(own, nullptr);
  }
  evaluation.signature = fmt::format(
      "choice|questions:{}/{}|length:{}|bos:{}|normalized by:bytes|log-probs:float32",
      questions.labels.size(), questions.all, options.length, questions.bos ? "yes" : "no");
  return evaluation;
}

}  // namespace octet
