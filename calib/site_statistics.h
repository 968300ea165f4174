// The statistics of one site. Any split of the tokens merges to the same bits.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "calib/histogram.h"

namespace octet {

/// Of the inputs x [tokens, K] of one site, in the units of x.
struct SiteStatistics {
  Histogram values;  ///< every |x[t, j]|
  /// max_j |x[t, j]|, one value a token. A percentile of it (find_range, kPercentile) is the range
  /// that holds that share of tokens whole; massive outlier tokens do not affect it, however large
  /// they are.
  Histogram tokens;
  std::vector<float> channel_absmax;  ///< [K]: max_t |x[t, j]|; empty before the first token
  float output_absmax = 0;  ///< largest magnitude of the site's outputs, 0 when not observed

  int64_t k() const { return static_cast<int64_t>(channel_absmax.size()); }
  int64_t token_count() const { return tokens.total(); }

  /// x: float32 [rows, k], row-major. Error with `site` and the channel on NaN or infinity, and on
  /// a k other than before; nothing is added then.
  void add(const float* x, int64_t rows, int64_t k, const std::string& site);
  /// Associative and commutative to the bit. Error when K differs.
  void merge(const SiteStatistics& other, const std::string& site);

  bool operator==(const SiteStatistics&) const = default;
};

/// Error unless all of channel_absmax is finite, naming site and channel.
void check_finite(const std::vector<float>& channel_absmax, const std::string& site);
/// Error unless `k` is that of the statistics or nothing was seen yet.
void check_channels(const SiteStatistics& statistics, int64_t k, const std::string& site);

}  // namespace octet
