// The stage `octet eval`: perplexity over windows that do not overlap, and divergence from a
// reference.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "datasets/text.h"
#include "eval/eval_options.h"
#include "eval/statistics.h"
#include "models/data/samples.h"
#include "quant/load_model.h"

namespace octet {

class SourceModel;

/// What one model did over the samples.
struct Evaluation {
  std::string scheme;     ///< as loaded: "float32", "w8a8-dynamic", ...
  std::string signature;  ///< of the data: two figures compare only if it is the same
  Comparison scores;
  int64_t int8_gemms = 0, packed_gemms = 0, dequantized_tiles = 0, largest_tile_rows = 0;
  double seconds = 0;  ///< of this model's forward passes
};

/// What is scored, opened once for all models: the first `used` samples of DATA.
struct EvalData {
  std::unique_ptr<Samples> samples;
  int64_t used = 0;
  std::string signature;  ///< one line that says how the samples are cut and scored
};

/// DATA as `model` reads it; text in windows of `length` tokens, of data with splits the test
/// split. count: samples to use, 0 for all.
EvalData open_eval_data(const SourceModel& model, const std::string& data, int64_t length,
                        int64_t count);

/// The text of DATA in windows of `length` as `model`'s tokenizer cuts it.
TokenWindows open_windows(const SourceModel& model, const std::string& data, int64_t length);

/// Runs each model over the data with the right answers given, `batch` samples at once (0: one
/// window, or 32 of other samples); against `reference` unless null. Resamples of the standard
/// errors are of whole windows, sentences or images; they depend on `seed`.
std::vector<Evaluation> evaluate_models(const std::vector<LoadedModel*>& models,
                                        LoadedModel* reference, const EvalData& data, int64_t batch,
                                        uint64_t seed, Context& context);

/// The model and, where the options name one, its reference.
struct EvalModels {
  LoadedModel model;
  std::optional<LoadedModel> reference;
};
/// UsageError when the reference has another vocabulary.
EvalModels load_eval_models(const SourceModel& model, const EvalOptions& options,
                            const Context& context);

/// Logits [L, V] of one sequence of L ids, on the model's device.
at::Tensor logits_of(LoadedModel& model, const std::vector<int64_t>& ids);

/// Error for empty data; UsageError for a window length below 2.
Evaluation evaluate(const SourceModel& model, const EvalOptions& options, Context& context);

}  // namespace octet
