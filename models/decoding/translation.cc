#include "models/decoding/translation.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>

#include "core/error.h"
#include "datasets/batches.h"
#include "models/data/pair_samples.h"
#include "models/source_model.h"

namespace octet {
namespace {

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string::npos;
}

// The sentences to translate: where each stands in the sources, and its ids.
struct Sources {
  std::vector<size_t> places;
  std::vector<std::vector<int64_t>> ids;
  std::vector<int64_t> lengths;
  int64_t tokens = 0, cut = 0;
};

Sources encode(const MarianTokenizer& tokenizer, const std::vector<std::string>& sources,
               int64_t positions) {
  Sources encoded;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (blank(sources[i])) continue;
    auto ids = tokenizer.encode(sources[i]);
    if (std::ssize(ids) > positions) {
      ids.resize(static_cast<size_t>(positions));
      ids.back() = tokenizer.eos();
      ++encoded.cut;
    }
    encoded.places.push_back(i);
    encoded.lengths.push_back(std::ssize(ids));
    encoded.tokens += std::ssize(ids);
    encoded.ids.push_back(std::move(ids));
  }
  return encoded;
}

// The limit on tokens gives way to a sentence that is longer alone.
BatchOptions batch_options(const TranslationBatch& limits, const Sources& encoded) {
  if (limits.sentences < 1 || limits.tokens < 0) {
    throw UsageError(
        fmt::format("batches of {} sentences and {} tokens", limits.sentences, limits.tokens),
        "at least 1 sentence, and 0 (no limit) or more tokens", "choose other limits");
  }
  BatchOptions options;
  options.max_samples = limits.sentences;
  if (limits.tokens > 0) {
    options.max_tokens = limits.tokens;
    for (const int64_t length : encoded.lengths) {
      options.max_tokens = std::max(options.max_tokens, length);
    }
  }
  return options;
}

}  // namespace

Translator::Translator(const Model& model, Executor& executor, const SourceModel& source)
    : model_(model),
      executor_(executor),
      positions_(source.config().max_positions),
      tokenizer_(open_marian_tokenizer(source)),
      generation_(read_generation(source)) {}

Translations Translator::translate(const std::vector<std::string>& sources,
                                   const TranslationBatch& limits, Context& context) {
  const auto start = std::chrono::steady_clock::now();
  Translations made;
  made.text.resize(sources.size());
  const Sources encoded = encode(tokenizer_, sources, positions_);
  made.source_tokens = encoded.tokens;
  if (encoded.cut > 0) {
    context.log.warn(
        fmt::format("{} sentences cut off at the model's {} tokens", encoded.cut, positions_));
  }
  const BatchOptions options = batch_options(limits, encoded);
  if (encoded.ids.empty()) return made;
  Progress progress(context.log, "translate", std::ssize(encoded.ids));
  for (const auto& indices : sequential_batches(encoded.lengths, options)) {
    context.stop.check("run the same command again");
    std::vector<std::vector<int64_t>> batch;
    for (const int64_t index : indices) batch.push_back(encoded.ids[static_cast<size_t>(index)]);
    const auto outputs =
        generate(model_, executor_, source_batch(batch, tokenizer_.pad()), generation_);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const size_t place = encoded.places[static_cast<size_t>(indices[i])];
      made.target_tokens += std::ssize(outputs[i].ids);
      made.text[place] = tokenizer_.decode(outputs[i].ids);
    }
    progress.advance(std::ssize(indices));
  }
  made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return made;
}

}  // namespace octet
