// The confidence interval of a corpus score, and of its difference from another system's on the
// same sentences: the bootstrap of sacreBLEU's --paired-bs, with the same resamples and the same
// figures.
#pragma once
#include <cstdint>
#include <span>

#include "eval/bleu.h"
#include "eval/chrf.h"

namespace octet {

struct BootstrapOptions {
  int64_t resamples = 1000;
  uint64_t seed = 12345;
};

/// A corpus score and its resamples. `low` and `high` bound 95 % of them: of n sorted ones, those
/// with n / 40 below and above.
struct ResampledScore {
  double score = 0;
  double mean = 0, low = 0, high = 0;
};

/// A system beside a baseline, both on the same resamples of the sentences.
struct PairedScores {
  ResampledScore system, baseline;
  double delta = 0, delta_low = 0, delta_high = 0;  ///< system - baseline, bounds as above
  /// (1 + resamples whose |difference| - its mean is above |delta|) / (1 + resamples). Where the
  /// systems never differ it is 1; sacreBLEU prints its smallest value then.
  double p_value = 1;
};

/// Statistics sentence by sentence. Error without sentences, and below 40 resamples.
ResampledScore resample_bleu(std::span<const BleuStats> system,
                             const BootstrapOptions& options = {});
ResampledScore resample_chrf(std::span<const ChrfStats> system,
                             const BootstrapOptions& options = {});

/// Error unless both have the same number of sentences.
PairedScores compare_bleu(std::span<const BleuStats> system, std::span<const BleuStats> baseline,
                          const BootstrapOptions& options = {});
PairedScores compare_chrf(std::span<const ChrfStats> system, std::span<const ChrfStats> baseline,
                          const BootstrapOptions& options = {});

}  // namespace octet
