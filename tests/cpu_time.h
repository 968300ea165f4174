// What a computation costs, for tests that compare two of them: other processes hardly change it.
#pragma once
#include <algorithm>
#include <ctime>
#include <limits>

namespace octet::test {

/// CPU seconds of all threads of this process in the fastest of three calls.
template <class Work>
double cpu_seconds(Work&& work) {
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 3; ++i) {
    const std::clock_t start = std::clock();
    work();
    least = std::min(least, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return least;
}

}  // namespace octet::test
