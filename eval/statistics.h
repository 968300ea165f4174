// Compares language models position by position: perplexity and divergence with confidence
// intervals.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

namespace octet {

/// Scores of one window, one entry a scored position. Without a reference only nll is filled.
struct WindowScores {
  std::vector<float> nll;          ///< -log p(next token), nats
  std::vector<float> ref_nll;      ///< the same of the reference
  std::vector<float> kl;           ///< KL(reference || model), nats
  std::vector<uint8_t> same_top1;  ///< 1 where both hold the same token most likely
};

/// The q-th percentile (q in [0, 100]) of `sorted` (ascending, not empty): linear interpolation at
/// place q/100 * (n - 1), as numpy.percentile does by default.
double percentile(std::span<const double> sorted, double q);
double percentile(std::span<const float> sorted, double q);

/// Result of a comparison. Standard errors are deviations over bootstrap resamples of whole windows
/// (a text's positions depend on each other, its windows much less); NaN with fewer than two
/// windows. Everything that needs a reference is NaN without one.
struct Comparison {
  int64_t windows = 0, positions = 0;
  bool has_reference = false;
  double perplexity = 0, perplexity_se = 0;  ///< exp of the mean nll over all positions
  double ref_perplexity = 0;
  double delta_perplexity = 0, delta_perplexity_se = 0;  ///< model - reference, paired
  double perplexity_ratio = 0;                           ///< model / reference
  double ln_ratio = 0, ln_ratio_se = 0;                  ///< ln(model / reference), paired
  double ln_ratio_low = 0, ln_ratio_high = 0;            ///< 95 % bootstrap percentile interval
  double kl_mean = 0, kl_mean_se = 0, kl_median = 0, kl_p99 = 0, kl_p999 = 0, kl_max = 0;
  double same_top1 = 0, same_top1_se = 0;  ///< fraction of positions in [0, 1]
};

/// Every field by its name; NaN becomes null.
nlohmann::json to_json(const Comparison& comparison);

/// Collects windows, then compares. Windows must come in the same order for the same figures to the
/// bit.
class ScoreAccumulator {
 public:
  /// Throws Error if the vectors' lengths differ, a window is empty, or some windows have a
  /// reference and others none.
  void add(const WindowScores& window);
  int64_t windows() const { return static_cast<int64_t>(sums_.size()); }
  int64_t positions() const { return positions_; }
  /// exp of the mean nll so far (for progress); NaN before the first window.
  double perplexity() const;
  /// Throws Error before the first window. The resamples depend on `seed` and the window count
  /// alone.
  Comparison result(uint64_t seed = 0, int64_t resamples = 1000) const;

 private:
  struct Sums {
    double nll = 0, ref_nll = 0, kl = 0, same = 0, count = 0;
    void operator+=(const Sums& other);
  };
  void bootstrap(Comparison& out, uint64_t seed, int64_t resamples) const;

  std::vector<Sums> sums_;  // one a window
  std::vector<float> kl_;
  int64_t positions_ = 0;
};

}  // namespace octet
