#include "eval/latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "eval/statistics.h"

namespace octet {

LatencyStats latency_stats(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  if (sorted.empty()) throw Error("no timings", "at least one", "run the benchmark at least once");
  for (double value : sorted) {
    if (!std::isfinite(value) || value < 0) {
      throw Error(fmt::format("a timing of {}", value), "a finite duration of 0 or more",
                  "measure with a steady clock");
    }
  }
  std::sort(sorted.begin(), sorted.end());
  LatencyStats out;
  out.n = static_cast<int64_t>(sorted.size());
  out.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(out.n);
  double squares = 0;
  for (double value : sorted) squares += (value - out.mean) * (value - out.mean);
  out.stddev = out.n > 1 ? std::sqrt(squares / static_cast<double>(out.n - 1))
                         : std::numeric_limits<double>::quiet_NaN();
  out.p50 = percentile(sorted, 50);
  out.p99 = percentile(sorted, 99);
  out.min = sorted.front();
  return out;
}

}  // namespace octet
