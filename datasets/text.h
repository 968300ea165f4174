// Text as data: cutting its tokens into windows, units and shards.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// Text to token ids, without BOS or EOS.
using EncodeFunction = std::function<std::vector<int32_t>(std::string_view)>;

/// A text read as one string, tokenized once, cut into windows that do not overlap.
class TokenWindows {
 public:
  /// `length` >= 2 ids a window. With `bos`, each window starts with it and holds length - 1 tokens
  /// of the text; a BOS that the text itself starts with is dropped, so that none starts twice.
  /// Throws Error if the text is too short for one window or `encode` gives a negative id.
  TokenWindows(std::string_view text, const EncodeFunction& encode, int64_t length,
               std::optional<int32_t> bos = std::nullopt);
  /// Whole windows; at least 1.
  int64_t size() const { return size_; }
  /// Ids in a window, BOS included.
  int64_t length() const { return length_; }
  /// Tokens of the text that fill no window and are dropped.
  int64_t tail() const { return static_cast<int64_t>(ids_.size()) - size_ * stride_; }
  /// Whether each window starts with a BOS.
  bool bos() const { return bos_.has_value(); }
  /// Tokens of the whole text, tail included.
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }
  /// The `length()` ids of window i in [0, size()); else throws Error.
  std::vector<int64_t> window(int64_t i) const;

 private:
  std::vector<int32_t> ids_;
  std::optional<int32_t> bos_;
  int64_t length_, stride_, size_;
};

/// Which `wanted` of `size` samples to use: seed 0 gives 0..wanted-1; any other seed a random
/// choice in random order, the same everywhere. Throws Error unless 1 <= wanted <= size.
std::vector<int64_t> sample_order(int64_t size, int64_t wanted, uint64_t seed);

/// A half-open range of positions in a sample order.
struct Unit {
  int64_t begin = 0, end = 0;
  bool operator==(const Unit&) const = default;
};

/// Samples cut by index into units of `unit_size` (the last may be shorter): the grain of shards,
/// of resuming and of batches, so that every split of the work sees the same batches.
std::vector<Unit> units(int64_t samples, int64_t unit_size);

/// The unit indices of shard `shard` of `shards`: shard, shard + shards, ... (possibly none).
/// Throws UsageError unless 0 <= shard < shards.
std::vector<int64_t> shard_units(int64_t unit_count, int64_t shard, int64_t shards);

}  // namespace octet
