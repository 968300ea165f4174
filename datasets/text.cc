#include "datasets/text.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/random.h"

namespace octet {
TokenWindows::TokenWindows(std::string_view text, const EncodeFunction& encode, int64_t length,
                           std::optional<int32_t> bos)
    : bos_(bos), length_(length), stride_(bos ? length - 1 : length) {
  if (length < 2) {
    throw UsageError(fmt::format("windows of {} tokens", length), "at least 2 tokens a window",
                     "choose a longer window");
  }
  ids_ = encode(text);
  if (bos && !ids_.empty() && ids_.front() == *bos) ids_.erase(ids_.begin());
  if (std::any_of(ids_.begin(), ids_.end(), [](int32_t id) { return id < 0; })) {
    throw Error("a negative token id", "ids from 0 up", "check the tokenizer of this model");
  }
  size_ = static_cast<int64_t>(ids_.size()) / stride_;
  if (size_ == 0) {
    throw Error(fmt::format("a text of {} tokens", ids_.size()),
                fmt::format("at least {} for one window", stride_),
                "give more text or choose a shorter window");
  }
}

std::vector<int64_t> TokenWindows::window(int64_t i) const {
  if (i < 0 || i >= size_) {
    throw Error(fmt::format("window {}", i), fmt::format("a window in [0, {})", size_),
                "ask for fewer samples");
  }
  std::vector<int64_t> out;
  out.reserve(static_cast<size_t>(length_));
  if (bos_) out.push_back(*bos_);
  const auto begin = ids_.begin() + i * stride_;
  out.insert(out.end(), begin, begin + stride_);
  return out;
}

std::vector<int64_t> sample_order(int64_t size, int64_t wanted, uint64_t seed) {
  if (wanted < 1 || wanted > size) {
    throw Error(fmt::format("{} samples wanted of {}", wanted, size),
                fmt::format("between 1 and {}", size), "give more data or ask for fewer samples");
  }
  std::vector<int64_t> order(static_cast<size_t>(wanted));
  if (seed == 0) {
    for (int64_t i = 0; i < wanted; ++i) order[static_cast<size_t>(i)] = i;
    return order;
  }
  const auto all = Random(seed, "datasets/sample_order").permutation(static_cast<uint64_t>(size));
  std::copy_n(all.begin(), wanted, order.begin());
  return order;
}

std::vector<Unit> units(int64_t samples, int64_t unit_size) {
  if (samples < 0 || unit_size < 1) {
    throw UsageError(fmt::format("{} samples in units of {}", samples, unit_size),
                     "no negative count and units of at least 1", "choose a batch of 1 or more");
  }
  std::vector<Unit> out;
  for (int64_t begin = 0; begin < samples; begin += unit_size) {
    out.push_back({begin, std::min(samples, begin + unit_size)});
  }
  return out;
}

std::vector<int64_t> shard_units(int64_t unit_count, int64_t shard, int64_t shards) {
  if (shards < 1 || shard < 0 || shard >= shards) {
    throw UsageError(fmt::format("shard {} of {}", shard, shards), "0 <= shard < number of shards",
                     "count shards from 0");
  }
  std::vector<int64_t> out;
  for (int64_t unit = shard; unit < unit_count; unit += shards) out.push_back(unit);
  return out;
}

}  // namespace octet
