// Summary of repeated timings.
#pragma once
#include <cstdint>
#include <span>

namespace octet {

/// In the unit of the samples. Percentiles interpolate as numpy.percentile; stddev divides by n - 1
/// and is NaN for one sample.
struct LatencyStats {
  double mean = 0, stddev = 0, p50 = 0, p99 = 0, min = 0;
  int64_t n = 0;
};

/// Throws Error without samples, and on a negative or non-finite one.
LatencyStats latency_stats(std::span<const double> samples);

}  // namespace octet
