// Greedy and beam search over an encoder-decoder with cached keys and values; the outputs of
// transformers' generate() (num_beams, length_penalty, early_stopping true or false).
#pragma once
#include <vector>

#include "models/decoding/generation_config.h"
#include "models/run/model.h"

namespace octet {

struct Output {
  std::vector<int64_t> ids;  ///< without the start token, EOS included where it was reached
  double score;  ///< sum of log-probabilities over length^length_penalty; greedy: the plain sum
};

/// Best output of each source row. source: ids int64 [B, S] and mask bool [B, S] (undefined: all
/// real). Finished sentences leave the batch. Error when an id of `config` is outside the
/// vocabulary or an output grows beyond the model's positions.
std::vector<Output> generate(const Model& model, Executor& executor, const Batch& source,
                             const GenerationConfig& config);

}  // namespace octet
