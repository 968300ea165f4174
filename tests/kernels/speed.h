// Timing for the suites that scripts/bench_gpu runs: they are skipped unless OCTET_SPEED is set.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace octet {

inline bool speed_wanted() {
  return std::getenv("OCTET_SPEED") != nullptr;
}

inline double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// Median over about a second of calls of `run(copy)`, after one round of warm-up.
template <typename Run>
double median_ms(int64_t copies, const Run& run) {
  for (int64_t i = 0; i < copies; ++i) run(i);
  std::vector<double> times;
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t i = 0;
       times.size() < 20 || (milliseconds_since(begin) < 1000 && times.size() < 3000); ++i) {
    const auto start = std::chrono::steady_clock::now();
    run(i % copies);
    times.push_back(milliseconds_since(start));
  }
  std::nth_element(times.begin(), times.begin() + static_cast<int64_t>(times.size() / 2),
                   times.end());
  return times[times.size() / 2];
}

}  // namespace octet
