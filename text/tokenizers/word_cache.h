// Bounded memory of the words already merged.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace octet {

/// Word -> ids, in shards with a lock each. A full shard is emptied, so the memory stays bounded
/// (at most kShards * kWords words of kLongest bytes) and follows the text at hand.
class WordCache {
 public:
  /// Appends the ids of `word` if it is known.
  bool find(std::string_view word, std::vector<int32_t>& ids) {
    if (word.size() > kLongest) return false;
    Shard& shard = shard_of(word);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.words.find(word);
    if (found == shard.words.end()) return false;
    ids.insert(ids.end(), found->second.begin(), found->second.end());
    return true;
  }

  void insert(std::string_view word, const int32_t* begin, const int32_t* end) {
    if (word.size() > kLongest) return;
    Shard& shard = shard_of(word);
    const std::lock_guard lock(shard.mutex);
    if (shard.words.size() >= kWords) shard.words.clear();
    shard.words.try_emplace(std::string(word), begin, end);
  }

 private:
  static constexpr size_t kShards = 32, kWords = 4096, kLongest = 128;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view word) const { return std::hash<std::string_view>{}(word); }
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<int32_t>, Hash, std::equal_to<>> words;
  };
  Shard& shard_of(std::string_view word) { return shards_[(Hash{}(word) >> 40) % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace octet
