#include "eval/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "core/random.h"

namespace octet {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class T>
double percentile_of(std::span<const T> sorted, double q) {
  if (sorted.empty() || !(q >= 0 && q <= 100)) {
    throw Error(fmt::format("percentile {} of {} values", q, sorted.size()),
                "a percentile in [0, 100] of at least one value", "measure something first");
  }
  const double place = q / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double a = sorted[below], b = sorted[above], t = place - static_cast<double>(below);
  // From the nearer end, as numpy does: exact at both.
  return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

// Deviation with n - 1; NaN for fewer than two.
double deviation(const std::vector<double>& values) {
  if (values.size() < 2) return kNaN;
  const double n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (n - 1));
}

void clear_reference(Comparison& out) {
  for (double* field :
       {&out.ref_perplexity, &out.delta_perplexity, &out.delta_perplexity_se, &out.perplexity_ratio,
        &out.ln_ratio, &out.ln_ratio_se, &out.ln_ratio_low, &out.ln_ratio_high, &out.kl_mean,
        &out.kl_mean_se, &out.kl_median, &out.kl_p99, &out.kl_p999, &out.kl_max, &out.same_top1,
        &out.same_top1_se}) {
    *field = kNaN;
  }
}

}  // namespace

double percentile(std::span<const double> sorted, double q) {
  return percentile_of(sorted, q);
}
double percentile(std::span<const float> sorted, double q) {
  return percentile_of(sorted, q);
}

void ScoreAccumulator::Sums::operator+=(const Sums& other) {
  nll += other.nll;
  ref_nll += other.ref_nll;
  kl += other.kl;
  same += other.same;
  count += other.count;
}

void ScoreAccumulator::add(const WindowScores& window) {
  const size_t n = window.nll.size();
  const size_t paired = window.kl.size();
  const bool whole = n > 0 && (paired == 0 || paired == n) && window.ref_nll.size() == paired &&
                     window.same_top1.size() == paired;
  const bool like_others = sums_.empty() || kl_.empty() == (paired == 0);
  if (!whole || !like_others) {
    throw Error(fmt::format("a window of {} nll, {} reference nll, {} kl and {} top-1 entries", n,
                            window.ref_nll.size(), paired, window.same_top1.size()),
                "equal counts above 0, and a reference for every window or for none",
                "score all windows the same way");
  }
  Sums sums;
  sums.count = static_cast<double>(n);
  sums.nll = std::accumulate(window.nll.begin(), window.nll.end(), 0.0);
  sums.ref_nll = std::accumulate(window.ref_nll.begin(), window.ref_nll.end(), 0.0);
  sums.kl = std::accumulate(window.kl.begin(), window.kl.end(), 0.0);
  sums.same = std::accumulate(window.same_top1.begin(), window.same_top1.end(), 0.0);
  sums_.push_back(sums);
  kl_.insert(kl_.end(), window.kl.begin(), window.kl.end());
  positions_ += static_cast<int64_t>(n);
}

double ScoreAccumulator::perplexity() const {
  Sums all;
  for (const Sums& window : sums_) all += window;
  return std::exp(all.nll / all.count);
}

void ScoreAccumulator::bootstrap(Comparison& out, uint64_t seed, int64_t resamples) const {
  const Random random(seed, "eval/bootstrap");
  const uint64_t n = sums_.size();
  std::vector<double> perplexity, delta, ln_ratio, kl, same;
  for (int64_t b = 0; b < resamples; ++b) {
    Sums sample;
    for (uint64_t i = 0; i < n; ++i) {
      sample += sums_[random.below(static_cast<uint64_t>(b) * n + i, n)];
    }
    const double model = sample.nll / sample.count, reference = sample.ref_nll / sample.count;
    perplexity.push_back(std::exp(model));
    delta.push_back(std::exp(model) - std::exp(reference));
    ln_ratio.push_back(model - reference);
    kl.push_back(sample.kl / sample.count);
    same.push_back(sample.same / sample.count);
  }
  out.perplexity_se = deviation(perplexity);
  out.delta_perplexity_se = deviation(delta);
  out.ln_ratio_se = deviation(ln_ratio);
  out.kl_mean_se = deviation(kl);
  out.same_top1_se = deviation(same);
  std::sort(ln_ratio.begin(), ln_ratio.end());
  out.ln_ratio_low = percentile(ln_ratio, 2.5);
  out.ln_ratio_high = percentile(ln_ratio, 97.5);
}

Comparison ScoreAccumulator::result(uint64_t seed, int64_t resamples) const {
  if (sums_.empty() || resamples < 2) {
    throw Error(fmt::format("{} scored windows, {} resamples", sums_.size(), resamples),
                "at least 1 window and 2 resamples", "score a window first");
  }
  Sums all;
  for (const Sums& window : sums_) all += window;
  Comparison out;
  out.windows = windows();
  out.positions = positions_;
  out.has_reference = !kl_.empty();
  out.perplexity = std::exp(all.nll / all.count);
  out.ref_perplexity = std::exp(all.ref_nll / all.count);
  out.delta_perplexity = out.perplexity - out.ref_perplexity;
  out.ln_ratio = (all.nll - all.ref_nll) / all.count;
  out.perplexity_ratio = std::exp(out.ln_ratio);
  out.kl_mean = all.kl / all.count;
  out.same_top1 = all.same / all.count;
  out.perplexity_se = out.delta_perplexity_se = out.ln_ratio_se = out.kl_mean_se =
      out.same_top1_se = out.ln_ratio_low = out.ln_ratio_high = kNaN;
  if (sums_.size() > 1) bootstrap(out, seed, resamples);
  if (!out.has_reference) {
    clear_reference(out);
    return out;
  }
  std::vector<float> sorted = kl_;
  std::sort(sorted.begin(), sorted.end());
  out.kl_median = percentile(sorted, 50);
  out.kl_p99 = percentile(sorted, 99);
  out.kl_p999 = percentile(sorted, 99.9);
  out.kl_max = sorted.back();
  return out;
}

nlohmann::json to_json(const Comparison& c) {
  const auto number = [](double value) {
    return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
  };
  return {{"windows", c.windows},
          {"positions", c.positions},
          {"has_reference", c.has_reference},
          {"perplexity", number(c.perplexity)},
          {"perplexity_se", number(c.perplexity_se)},
          {"ref_perplexity", number(c.ref_perplexity)},
          {"delta_perplexity", number(c.delta_perplexity)},
          {"delta_perplexity_se", number(c.delta_perplexity_se)},
          {"perplexity_ratio", number(c.perplexity_ratio)},
          {"ln_ratio", number(c.ln_ratio)},
          {"ln_ratio_se", number(c.ln_ratio_se)},
          {"ln_ratio_low", number(c.ln_ratio_low)},
          {"ln_ratio_high", number(c.ln_ratio_high)},
          {"kl_mean", number(c.kl_mean)},
          {"kl_mean_se", number(c.kl_mean_se)},
          {"kl_median", number(c.kl_median)},
          {"kl_p99", number(c.kl_p99)},
          {"kl_p999", number(c.kl_p999)},
          {"kl_max", number(c.kl_max)},
          {"same_top1", number(c.same_top1)},
          {"same_top1_se", number(c.same_top1_se)}};
}

}  // namespace octet
