// Naive versions of what calib/ does fast, and data for its tests.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "calib/histogram.h"

namespace octet::reference {

/// Pseudo-random values with many magnitudes, zeros and both signs.
inline std::vector<float> values(uint64_t seed, size_t count, double spread = 1) {
  std::vector<float> x(count);
  uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
  const auto next = [&state] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<double>(state >> 11) / 9007199254740992.0;
  };
  for (float& value : x) {
    const double u = next() + next() + next() - 1.5;
    value = next() < 0.05 ? 0.0f : static_cast<float>(u * std::pow(spread, next()));
  }
  return x;
}

/// The histogram from all the values at once, in double arithmetic.
struct Bins {
  std::vector<int64_t> counts = std::vector<int64_t>(2048);
  int64_t zeros = 0;
  double absmax = 0, width = 0;
};

inline Bins histogram(const std::vector<float>& x) {
  Bins made;
  for (const float value : x) made.absmax = std::max(made.absmax, std::abs(double{value}));
  int exponent = -115;
  while (std::ldexp(1.0, exponent) <= made.absmax) ++exponent;
  made.width = std::ldexp(1.0, exponent - 11);
  for (const float value : x) {
    if (value == 0) {
      ++made.zeros;
    } else {
      ++made.counts[static_cast<size_t>(std::abs(double{value}) / made.width)];
    }
  }
  return made;
}

/// Squared error of symmetric INT8 with that range, over bin centres, summed bin by bin.
inline double squared_error(const Histogram& histogram, double range) {
  const double scale = range / 127, width = histogram.width();
  double sum = 0;
  for (int j = 0; j < Histogram::kBins; ++j) {
    const double centre = (j + 0.5) * width;
    const double q = std::min(127.0, std::nearbyint(centre / scale));
    sum += static_cast<double>(histogram.count(j)) * (q * scale - centre) * (q * scale - centre);
  }
  return sum;
}

inline double mse_range(const Histogram& histogram) {
  double best = 0, least = std::numeric_limits<double>::infinity();
  const double absmax = histogram.absmax();
  for (int i = 128; i <= histogram.used(); ++i) {
    const double range = std::min(i * double{histogram.width()}, absmax);
    const double error = squared_error(histogram, range);
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

/// A folder of its own under the system's, removed at the end.
class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              (name + "." + std::to_string(reinterpret_cast<uintptr_t>(this)))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace octet::reference
