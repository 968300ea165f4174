// BLEU (Papineni et al., 2002) with the figures of sacreBLEU 2.6.0: its 13a tokenizer (that of
// mteval-v13a), exponential smoothing, mixed case.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "eval/words.h"

namespace octet {

/// Sufficient statistics of a segment; those of a corpus are their sum.
struct BleuStats {
  int64_t hyp_length = 0, ref_length = 0;     ///< words; of several references the closest length
  std::array<int64_t, 4> correct{}, total{};  ///< n-grams by n - 1
  void operator+=(const BleuStats& other);
  bool operator==(const BleuStats&) const = default;
};

struct BleuScore {
  double score = 0;                       ///< in [0, 100]
  std::array<double, 4> precisions{};     ///< in percent, smoothed
  double brevity_penalty = 1, ratio = 0;  ///< ratio: length of the output over the reference's
  BleuStats stats;
  /// "46.31 75.0/66.7/50.0/50.0 (BP = 0.779 ratio = 0.800 hyp_len = 4 ref_len = 5)"
  std::string text() const;
};

/// `text` as words joined by single spaces. Well-formed UTF-8 only.
std::string tokenize_13a(std::string_view text);

/// Ill-formed UTF-8 counts as U+FFFD. Error without a reference.
BleuStats bleu_stats(const Segment& segment);

/// `effective_order`: the mean is over the orders that the output is long enough for, as is usual
/// for single sentences.
BleuScore bleu_of(const BleuStats& stats, bool effective_order = false);

/// The mean of all segments' n-grams, not of their scores. Error without segments.
BleuScore corpus_bleu(std::span<const Segment> segments);
BleuScore sentence_bleu(const Segment& segment);

/// As sacreBLEU prints it: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0", behind
/// nrefs "bs:RESAMPLES|seed:SEED" where resampled.
std::string bleu_signature(int64_t references, bool effective_order = false, int64_t resamples = 0,
                           uint64_t seed = 12345);

namespace detail {
/// "nrefs:1|bs:1000|seed:12345", what both scores' signatures begin with.
std::string signature_head(int64_t references, int64_t resamples, uint64_t seed);
/// The score from sums in arithmetic of type T: double, or float as sacreBLEU's resamples have it.
template <class T>
double bleu_from_sums(const std::array<T, 10>& sums, bool effective_order,
                      std::array<T, 4>& precisions, double& brevity_penalty);
}  // namespace detail

}  // namespace octet
