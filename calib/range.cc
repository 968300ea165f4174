#include "calib/range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"

namespace octet {
namespace {

constexpr int kLevels = 128;  // of magnitude, 0 included
constexpr double kTop = kLevels - 1;

double percentile_range(const Histogram& histogram, double percentile) {
  if (!(percentile > 0 && percentile <= 100)) {
    throw UsageError(fmt::format("percentile {}", percentile), "0 < percentile <= 100",
                     "pass e.g. 99.99");
  }
  // 99.9 is not exact in binary: a hair less, so that the 999th of 1000 values is the 99.9th
  // percentile.
  const double exact = percentile * static_cast<double>(histogram.total()) / 100;
  const double rank = exact * (1 - 4 * std::numeric_limits<double>::epsilon());
  int64_t below = histogram.zeros();
  for (int j = 0; j < histogram.used(); ++j) {
    below += histogram.count(j);
    if (histogram.count(j) > 0 && static_cast<double>(below) >= rank) {
      return std::min<double>((j + 1) * double{histogram.width()}, histogram.absmax());
    }
  }
  return histogram.absmax();
}

// Sums over bins of count, count * c and count * c^2, where c = 2 j + 1 is the centre in half bins.
// Exact integers: the tail's few counts survive the difference of two prefixes.
struct Moments {
  __int128 zeroth = 0, first = 0, second = 0;
};

std::vector<Moments> prefixes(const Histogram& histogram) {
  std::vector<Moments> sums(static_cast<size_t>(histogram.used()) + 1);
  for (int j = 0; j < histogram.used(); ++j) {
    const __int128 count = histogram.count(j), centre = 2 * j + 1;
    const Moments& last = sums[static_cast<size_t>(j)];
    sums[static_cast<size_t>(j) + 1] = {last.zeroth + count, last.first + count * centre,
                                        last.second + count * centre * centre};
  }
  return sums;
}

// Squared error, in half bins, of quantizing all bins with 127 * `scale` as the range.
double squared_error(const std::vector<Moments>& sums, double scale) {
  const size_t bins = sums.size() - 1;
  double error = 0;
  size_t begin = 0;
  for (int q = 0; q < kLevels && begin < bins; ++q) {
    size_t end = bins;
    if (q < kTop) {
      const double limit = (q + 0.5) * scale;  // centres at the limit round to the even level
      const auto guess = static_cast<size_t>(std::max(0.0, (limit - 1) / 2));
      end = std::min(bins, guess + 1);
      while (end > begin && std::nearbyint(static_cast<double>(2 * end - 1) / scale) > q) --end;
      while (end < bins && std::nearbyint(static_cast<double>(2 * end + 1) / scale) <= q) ++end;
    }
    const double real = q * scale;
    const auto zeroth = static_cast<double>(sums[end].zeroth - sums[begin].zeroth);
    const auto first = static_cast<double>(sums[end].first - sums[begin].first);
    const auto second = static_cast<double>(sums[end].second - sums[begin].second);
    error += second - 2 * real * first + real * real * zeroth;
    begin = end;
  }
  return error;
}

double mse_range(const Histogram& histogram) {
  const std::vector<Moments> sums = prefixes(histogram);
  const double width = histogram.width();
  double best = histogram.absmax();
  double least = std::numeric_limits<double>::infinity();
  for (int i = kLevels; i <= histogram.used(); ++i) {
    const double range = std::min<double>(i * width, histogram.absmax());
    const double error = squared_error(sums, 2 * range / width / kTop);
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

// counts n and n log n of each bin, as the entropy search reads them.
struct Weighted {
  std::vector<double> n, n_log_n;
};

double n_log_n(double n) {
  return n > 0 ? n * std::log(n) : 0;
}

// KL divergence of the clipped reference from its 128-level average over the first `size` bins.
double divergence(const Weighted& bins, int size, double tail) {
  double sum = 0, quantized = 0, clipped = 0;
  int begin = 0;
  for (int level = 0; level < kLevels; ++level) {
    const int end = ((level + 1) * size + kLevels - 1) / kLevels;
    double count = 0, logs = 0;
    int filled = 0;
    for (int j = begin; j < end; ++j) {
      count += bins.n[static_cast<size_t>(j)];
      logs += bins.n_log_n[static_cast<size_t>(j)];
      filled += bins.n[static_cast<size_t>(j)] > 0;
    }
    begin = end;
    if (end == size) {
      const double last = bins.n[static_cast<size_t>(size) - 1];
      if (last == 0 && tail > 0) return std::numeric_limits<double>::infinity();
      logs += n_log_n(last + tail) - n_log_n(last);
      clipped = tail;
    }
    if (filled == 0) continue;
    sum += logs - (count + clipped) * std::log(count / filled);
    quantized += count;
  }
  const double reference = quantized + tail;
  return reference > 0 ? sum / reference + std::log(quantized / reference) : 0;
}

double entropy_range(const Histogram& histogram) {
  const int used = histogram.used();
  Weighted bins;
  for (int j = 0; j < used; ++j) {
    bins.n.push_back(static_cast<double>(histogram.count(j == 0 ? 1 : j)));
    bins.n_log_n.push_back(n_log_n(bins.n.back()));
  }
  int best = used;
  double least = std::numeric_limits<double>::infinity(), tail = 0;
  for (int i = used; i >= kLevels; --i) {
    const double value = divergence(bins, i, tail);
    if (value < least) {
      least = value;
      best = i;
    }
    tail += bins.n[static_cast<size_t>(i) - 1];
  }
  return std::min<double>(best * double{histogram.width()}, histogram.absmax());
}

}  // namespace

double find_range(const Histogram& histogram, RangeMethod method, double percentile) {
  if (method == RangeMethod::kPercentile) return percentile_range(histogram, percentile);
  const bool coarse = histogram.used() < kLevels;
  if (method == RangeMethod::kAbsmax || coarse) return histogram.absmax();
  return method == RangeMethod::kMse ? mse_range(histogram) : entropy_range(histogram);
}

RangeMethod parse_range_method(const std::string& text) {
  for (const RangeMethod method :
       {RangeMethod::kAbsmax, RangeMethod::kPercentile, RangeMethod::kMse, RangeMethod::kEntropy}) {
    if (text == name(method)) return method;
  }
  throw UsageError("range method '" + text + "'", "absmax, percentile, mse or entropy",
                   "choose one of these");
}

const char* name(RangeMethod method) {
  switch (method) {
    case RangeMethod::kAbsmax:
      return "absmax";
    case RangeMethod::kPercentile:
      return "percentile";
    case RangeMethod::kMse:
      return "mse";
    case RangeMethod::kEntropy:
      return "entropy";
  }
  return "";
}

}  // namespace octet
