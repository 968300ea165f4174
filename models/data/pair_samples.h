// Sentence pairs as batches of a translation model.
#pragma once
#include <memory>
#include <vector>

#include "datasets/pairs.h"
#include "models/data/samples.h"
#include "text/tokenizers/marian_tokenizer.h"

namespace octet {

/// The tokenizer of a translation model; UsageError for other models.
MarianTokenizer open_marian_tokenizer(const SourceModel& model);

/// Inputs: source ids, target_ids that begin with the decoder's start token, both padded with the
/// pad id behind a mask; targets: the same sentence ended by EOS. Both sides are cut off at
/// `length` ids, EOS included (0: no limit), and at the model's positions.
std::unique_ptr<Samples> make_pair_samples(const std::vector<SentencePair>& pairs,
                                           const MarianTokenizer& tokenizer,
                                           const ModelConfig& config, int64_t length);

/// Source sentences as the inputs of generate(): ids and mask alone.
Batch source_batch(const std::vector<std::vector<int64_t>>& sentences, int64_t pad);

}  // namespace octet
