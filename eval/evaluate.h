// The stage `octet eval`: perplexity over windows that do not overlap, and divergence from a
// reference.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/options.h"
#include "datasets/text.h"
#include "eval/statistics.h"
#include "quant/load_model.h"

namespace octet {

struct EvalOptions : Options {
  std::string model, data, reference;
  int64_t length = 1024, windows = 0, seed = 0;
  std::string dtype = "float32";
  void visit(OptionVisitor& v) override;
};

/// What one model did over the windows.
struct Evaluation {
  std::string scheme;     ///< as loaded: "float32", "w8a8-dynamic", ...
  std::string signature;  ///< length, windows, BOS, tail, arithmetic: two figures compare only if
                          ///< it is the same
  Comparison scores;
  int64_t int8_gemms = 0, packed_gemms = 0, widened_tiles = 0, largest_tile_rows = 0;
  double seconds = 0;  ///< of this model's forward passes
};

/// One line that says how a perplexity was taken.
std::string eval_signature(const TokenWindows& windows, int64_t used, bool bos);

/// The text of DATA in windows of `length` as `model`'s tokenizer cuts it.
TokenWindows open_windows(const std::string& model, const std::string& data, int64_t length);

/// Runs each model over the first `count` windows (0: all); against `reference` unless null.
std::vector<Evaluation> evaluate_models(const std::vector<LoadedModel*>& models,
                                        LoadedModel* reference, const TokenWindows& windows,
                                        int64_t count, uint64_t seed, Context& context);

/// The model of the options and, where they name one, its reference.
struct EvalModels {
  LoadedModel model;
  std::optional<LoadedModel> reference;
};
/// UsageError when the reference has another vocabulary.
EvalModels load_eval_models(const EvalOptions& options, const Context& context);

/// Logits [L, V] of one sequence of L ids, on the model's device.
at::Tensor logits_of(LoadedModel& model, const std::vector<int64_t>& ids);

/// Error for empty data; UsageError for a window length below 2.
Evaluation evaluate(const EvalOptions& options, Context& context);

}  // namespace octet
