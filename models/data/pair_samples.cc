#include "models/data/pair_samples.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "models/architectures/registry.h"
#include "models/source_model.h"

namespace octet {
namespace {

using Sentences = std::vector<std::vector<int64_t>>;

// Rows of ids side by side, `filler` behind the shorter ones.
at::Tensor padded(const Sentences& rows, int64_t filler) {
  size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  at::Tensor ids = at::full({std::ssize(rows), static_cast<int64_t>(longest)}, filler, at::kLong);
  auto* to = ids.data_ptr<int64_t>();
  for (const auto& row : rows) {
    std::copy(row.begin(), row.end(), to);
    to += longest;
  }
  return ids;
}

// bool: true where a row has an id.
at::Tensor mask_of(const Sentences& rows, int64_t columns) {
  std::vector<int64_t> lengths;
  for (const auto& row : rows) lengths.push_back(std::ssize(row));
  return at::arange(columns).unsqueeze(0) <
         at::tensor(lengths, at::TensorOptions(at::kLong)).unsqueeze(1);
}

// At most `limit` ids, the last of them (EOS) kept.
std::vector<int64_t> cut_off(std::vector<int64_t> ids, int64_t limit) {
  if (std::ssize(ids) <= limit) return ids;
  const int64_t eos = ids.back();
  ids.resize(static_cast<size_t>(limit));
  ids.back() = eos;
  return ids;
}

std::string hash_of(const std::vector<SentencePair>& pairs) {
  Sha256 hash;
  for (const SentencePair& pair : pairs) {
    for (const std::string* line : {&pair.source, &pair.target}) {
      hash.update(std::as_bytes(std::span(*line)));
      hash.update(std::as_bytes(std::span("\n", 1)));
    }
  }
  return hash.hex();
}

class PairSamples : public Samples {
 public:
  PairSamples(const std::vector<SentencePair>& pairs, const MarianTokenizer& tokenizer,
              int64_t start, int64_t limit)
      : pad_(tokenizer.pad()), start_(start), hash_(hash_of(pairs)) {
    for (const SentencePair& pair : pairs) {
      sources_.push_back(cut_off(tokenizer.encode(pair.source), limit));
      targets_.push_back(cut_off(tokenizer.encode_target(pair.target), limit));
    }
  }

  int64_t size() const override { return std::ssize(sources_); }
  int64_t length(int64_t i) const override {
    const auto at = static_cast<size_t>(i);
    return std::max(std::ssize(sources_.at(at)), std::ssize(targets_.at(at)));
  }
  const std::string& hash() const override { return hash_; }

  TaskBatch batch(std::span<const int64_t> indices) const override {
    Sentences sources, targets, shifted;
    for (const int64_t index : indices) {
      const auto at = static_cast<size_t>(index);
      sources.push_back(sources_.at(at));
      targets.push_back(targets_.at(at));
      shifted.push_back({start_});
      shifted.back().insert(shifted.back().end(), targets_[at].begin(), targets_[at].end() - 1);
    }
    TaskBatch made;
    made.inputs = source_batch(sources, pad_);
    made.inputs.target_ids = padded(shifted, pad_);
    made.inputs.target_mask = mask_of(shifted, made.inputs.target_ids.size(1));
    made.targets = padded(targets, kNoTarget);
    return made;
  }

 private:
  int64_t pad_, start_;
  std::string hash_;
  Sentences sources_, targets_;
};

}  // namespace

Batch source_batch(const Sentences& sentences, int64_t pad) {
  Batch batch;
  batch.ids = padded(sentences, pad);
  batch.mask = mask_of(sentences, batch.ids.size(1));
  return batch;
}

MarianTokenizer open_marian_tokenizer(const SourceModel& model) {
  const ModelConfig& config = model.config();
  if (task_kind(config) != TaskKind::kTranslation) {
    throw UsageError(fmt::format("{} ({})", model.path().string(), config.architecture),
                     "a translation model (MarianMTModel)", "give one of those");
  }
  return {model.path(), config.vocab};
}

std::unique_ptr<Samples> make_pair_samples(const std::vector<SentencePair>& pairs,
                                           const MarianTokenizer& tokenizer,
                                           const ModelConfig& config, int64_t length) {
  if (length == 1 || length < 0) {
    throw UsageError(fmt::format("sentences of {} tokens", length),
                     "at least 2, or 0 for the model's own limit", "choose another --length");
  }
  const int64_t limit = length == 0 ? config.max_positions : std::min(length, config.max_positions);
  return std::make_unique<PairSamples>(pairs, tokenizer, config.decoder_start.value(), limit);
}

}  // namespace octet
