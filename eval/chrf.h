// chrF2 (Popovic, 2015) with the figures of sacreBLEU 2.6.0: F-score with beta 2 of character
// n-grams up to 6, white space left out, orders that occur on one side only left out.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "eval/words.h"

namespace octet {

/// Sufficient statistics of a segment; those of a corpus are their sum.
struct ChrfStats {
  struct Order {
    int64_t hypothesis = 0, reference = 0, match = 0;
    bool operator==(const Order&) const = default;
  };
  std::array<Order, 6> orders{};  ///< n-grams by n - 1
  void operator+=(const ChrfStats& other);
  bool operator==(const ChrfStats&) const = default;
};

/// Of several references the one with the best score. Ill-formed UTF-8 counts as U+FFFD. Error
/// without a reference.
ChrfStats chrf_stats(const Segment& segment);

/// In [0, 100].
double chrf_of(const ChrfStats& stats);

/// Error without segments.
double corpus_chrf(std::span<const Segment> segments);
double sentence_chrf(const Segment& segment);

/// As sacreBLEU prints it: "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0".
std::string chrf_signature(int64_t references, int64_t resamples = 0, uint64_t seed = 12345);

namespace detail {
/// The score from sums (hypothesis, reference, match by order) in arithmetic of type T.
template <class T>
T chrf_from_sums(const std::array<T, 18>& sums);
}  // namespace detail

}  // namespace octet
