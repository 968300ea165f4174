// Tokenized samples in HDF5, so that a text is tokenized only once.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/log.h"

namespace octet {

/// Sequences of token ids, concatenated.
class TokenLists {
 public:
  TokenLists() = default;
  /// List i is ids[offsets[i], offsets[i + 1]). Throws Error unless offsets begin with 0, never
  /// fall and end with the number of ids.
  TokenLists(std::vector<int64_t> ids, std::vector<int64_t> offsets);
  void add(std::span<const int64_t> list);
  int64_t size() const { return std::ssize(offsets_) - 1; }
  /// List i in [0, size()).
  std::span<const int64_t> operator[](int64_t i) const;
  const std::vector<int64_t>& ids() const { return ids_; }
  const std::vector<int64_t>& offsets() const { return offsets_; }
  bool operator==(const TokenLists&) const = default;

 private:
  std::vector<int64_t> ids_, offsets_ = {0};
};

/// Samples as a model reads them: source alone for language models, where target has no lists, or
/// as many sources as targets.
struct PreparedSamples {
  TokenLists source, target;
  bool operator==(const PreparedSamples&) const = default;
};

/// Names what the samples are made of: SHA-256 of the content, the tokenizer and the length.
struct SampleKey {
  std::string content;    ///< SHA-256 of the texts
  std::string tokenizer;  ///< SHA-256 of the tokenizer's files
  int64_t length = 0;     ///< the longest list
  std::string hash() const;
};

/// The samples of `key`: read from FOLDER/HASH.h5 where it holds them whole, else made by `prepare`
/// and written there. A file that is damaged, from a newer octet or for another key is created
/// again, with a message to `log`. If the folder is not writable, there is a warning and the
/// samples are still returned.
PreparedSamples cached_samples(const std::filesystem::path& folder, const SampleKey& key,
                               const std::function<PreparedSamples()>& prepare, Log* log = nullptr);

}  // namespace octet
