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

/// Speed of one phase of a language model. A rate of 0 is not a measurement.
struct PhaseSpeed {
  double tokens_per_second = 0;
  LatencyStats ms;  ///< a prefill pass or a decode step, milliseconds
};

/// Speed of the whole task: sentences translated, images classified.
struct TaskSpeed {
  double items_per_second = 0;  ///< in batches
  int64_t batch = 0;            ///< items in a batch
  LatencyStats batch_ms;        ///< of one batch
  LatencyStats single_ms;       ///< of one item alone; n is 0 if that was not timed
};

/// Throws Error without samples, and on a negative or non-finite one.
LatencyStats latency_stats(std::span<const double> samples);

}  // namespace octet
