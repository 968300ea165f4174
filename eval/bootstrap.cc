#include "eval/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/numpy_random.h"

namespace octet {
namespace {

constexpr int64_t kTail = 40;  // a 40th of the resamples lies beyond either bound

// A score's statistics as rows of floats, and the score of their sum. sacreBLEU keeps them in
// float32 and numpy computes with them in that type; so does this.
struct Bleu {
  using Stats = BleuStats;
  using Row = std::array<float, 10>;
  using Score = double;
  static Row row(const Stats& stats) {
    Row row{static_cast<float>(stats.hyp_length), static_cast<float>(stats.ref_length)};
    std::copy(stats.correct.begin(), stats.correct.end(), row.begin() + 2);
    std::copy(stats.total.begin(), stats.total.end(), row.begin() + 6);
    return row;
  }
  static Score score(const Row& sums) {
    std::array<float, 4> precisions;
    double brevity_penalty = 1;
    return detail::bleu_from_sums(sums, false, precisions, brevity_penalty);
  }
  static double exact(const Stats& stats) { return bleu_of(stats).score; }
};

struct Chrf {
  using Stats = ChrfStats;
  using Row = std::array<float, 18>;
  using Score = float;
  static Row row(const Stats& stats) {
    Row row;
    for (size_t n = 0; n < stats.orders.size(); ++n) {
      row[3 * n] = static_cast<float>(stats.orders[n].hypothesis);
      row[3 * n + 1] = static_cast<float>(stats.orders[n].reference);
      row[3 * n + 2] = static_cast<float>(stats.orders[n].match);
    }
    return row;
  }
  static Score score(const Row& sums) { return detail::chrf_from_sums(sums); }
  static double exact(const Stats& stats) { return chrf_of(stats); }
};

// Sums in numpy's order: halves down to 128 values, those in eight sums side by side.
template <class T>
T pairwise_sum(std::span<const T> values) {
  const size_t n = values.size();
  if (n < 8) return std::accumulate(values.begin(), values.end(), T{0});
  if (n > 128) {
    const size_t half = n / 2 - n / 2 % 8;
    return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
  }
  std::array<T, 8> sums;
  std::copy_n(values.begin(), 8, sums.begin());
  size_t i = 8;
  for (; i + 8 <= n; i += 8) {
    for (size_t k = 0; k < 8; ++k) sums[k] += values[i + k];
  }
  T sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  for (; i < n; ++i) sum += values[i];
  return sum;
}

template <class T>
T mean(const std::vector<T>& values) {
  return pairwise_sum(std::span<const T>(values)) / static_cast<T>(values.size());
}

template <class Metric>
class Resampler {
 public:
  using Stats = typename Metric::Stats;
  using Score = typename Metric::Score;

  Resampler(size_t sentences, const BootstrapOptions& options)
      : sentences_(sentences), options_(options) {
    if (sentences == 0 || sentences > std::numeric_limits<uint32_t>::max() ||
        options.resamples < kTail) {
      throw Error(fmt::format("{} resamples of {} sentences", options.resamples, sentences),
                  fmt::format("at least {} resamples of at least 1 sentence", kTail),
                  "score more sentences or resample more often");
    }
  }

  // The score of each resample.
  std::vector<Score> scores(std::span<const Stats> stats) const {
    std::vector<typename Metric::Row> rows;
    rows.reserve(stats.size());
    for (const Stats& each : stats) rows.push_back(Metric::row(each));
    NumpyRandom random(options_.seed);
    std::vector<Score> out;
    for (int64_t i = 0; i < options_.resamples; ++i) {
      typename Metric::Row sums{};
      for (size_t s = 0; s < sentences_; ++s) {
        const auto& row = rows[random.below(static_cast<uint32_t>(sentences_))];
        for (size_t k = 0; k < sums.size(); ++k) sums[k] += row[k];
      }
      out.push_back(Metric::score(sums));
    }
    return out;
  }

  static ResampledScore summary(std::span<const Stats> stats, const std::vector<Score>& scores) {
    Stats sum;
    for (const Stats& each : stats) sum += each;
    std::vector<Score> sorted = scores;
    std::sort(sorted.begin(), sorted.end());
    const size_t tail = sorted.size() / kTail;
    return {Metric::exact(sum), mean(scores), sorted[tail], sorted[sorted.size() - tail - 1]};
  }

 private:
  size_t sentences_;
  BootstrapOptions options_;
};

template <class Score>
double p_value(const std::vector<Score>& deltas, double delta) {
  std::vector<Score> sizes;
  for (const Score each : deltas) sizes.push_back(std::abs(each));
  if (std::all_of(sizes.begin(), sizes.end(), [](Score size) { return size == 0; })) return 1;
  const Score center = mean(sizes), limit = static_cast<Score>(std::abs(delta));
  const auto beyond =
      std::count_if(sizes.begin(), sizes.end(), [&](Score size) { return size - center > limit; });
  return static_cast<double>(beyond + 1) / static_cast<double>(deltas.size() + 1);
}

template <class Metric>
ResampledScore resample(std::span<const typename Metric::Stats> system,
                        const BootstrapOptions& options) {
  return Resampler<Metric>::summary(system,
                                    Resampler<Metric>(system.size(), options).scores(system));
}

template <class Metric>
PairedScores compare(std::span<const typename Metric::Stats> system,
                     std::span<const typename Metric::Stats> baseline,
                     const BootstrapOptions& options) {
  if (system.size() != baseline.size()) {
    throw Error(fmt::format("{} sentences and {} of the baseline", system.size(), baseline.size()),
                "the same sentences of both", "translate the same data with both");
  }
  const Resampler<Metric> resampler(system.size(), options);
  const auto mine = resampler.scores(system), theirs = resampler.scores(baseline);
  PairedScores out;
  out.system = resampler.summary(system, mine);
  out.baseline = resampler.summary(baseline, theirs);
  out.delta = out.system.score - out.baseline.score;
  std::vector<typename Metric::Score> deltas(mine.size());
  std::transform(mine.begin(), mine.end(), theirs.begin(), deltas.begin(), std::minus<>());
  out.p_value = p_value(deltas, out.delta);
  std::sort(deltas.begin(), deltas.end());
  const size_t tail = deltas.size() / kTail;
  out.delta_low = deltas[tail];
  out.delta_high = deltas[deltas.size() - tail - 1];
  return out;
}

}  // namespace

ResampledScore resample_bleu(std::span<const BleuStats> system, const BootstrapOptions& options) {
  return resample<Bleu>(system, options);
}
ResampledScore resample_chrf(std::span<const ChrfStats> system, const BootstrapOptions& options) {
  return resample<Chrf>(system, options);
}
PairedScores compare_bleu(std::span<const BleuStats> system, std::span<const BleuStats> baseline,
                          const BootstrapOptions& options) {
  return compare<Bleu>(system, baseline, options);
}
PairedScores compare_chrf(std::span<const ChrfStats> system, std::span<const ChrfStats> baseline,
                          const BootstrapOptions& options) {
  return compare<Chrf>(system, baseline, options);
}

}  // namespace octet
