// Sentences in, translations out: tokenizer, batches and search around a translation model.
#pragma once
#include <string>
#include <vector>

#include "core/context.h"
#include "models/decoding/beam_search.h"
#include "text/tokenizers/marian_tokenizer.h"

namespace octet {

/// What bounds the sentences that are translated together.
struct TranslationBatch {
  int64_t sentences = 32;
  int64_t tokens = 4096;  ///< padded tokens of the sources; 0: no limit
};

struct Translations {
  std::vector<std::string> text;  ///< in the order of the sources
  int64_t source_tokens = 0, target_tokens = 0;
  double seconds = 0;  ///< tokenizing included
};

class Translator {
 public:
  /// Reads tokenizer and generation_config.json of `source`. UsageError unless that is a
  /// translation model. `model` and `executor` must outlive it.
  Translator(const Model& model, Executor& executor, const SourceModel& source);

  /// As read; may be changed between two calls.
  GenerationConfig& generation() { return generation_; }
  const GenerationConfig& generation() const { return generation_; }

  /// Sentences of similar length share a batch. The translation of a blank sentence is empty; a
  /// sentence longer than the model's positions is truncated with a message to the log. UsageError
  /// for a batch of nothing.
  Translations translate(const std::vector<std::string>& sources, const TranslationBatch& limits,
                         Context& context);

 private:
  const Model& model_;
  Executor& executor_;
  int64_t positions_;
  MarianTokenizer tokenizer_;
  GenerationConfig generation_;
};

}  // namespace octet
