#include "calib/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "core/error.h"
#include "kernels/cpu/statistics/statistics.h"

namespace octet {
namespace {

int exponent_of(float absmax) {
  if (absmax == 0) return Histogram::kMinExponent;
  int exponent;
  std::frexp(absmax, &exponent);
  return std::max(exponent, Histogram::kMinExponent);
}

[[noreturn]] void refuse(const std::string& found, const std::string& expected) {
  throw Error(found, expected, "use statistics that octet calibrate wrote, and whole files");
}

int64_t sum_of(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) {
    refuse("a histogram of more than 2^63 - 1 values", "a total that fits 63 bits");
  }
  return sum;
}

}  // namespace

float magnitude(const float* x, int64_t n) {
  // As integers the magnitudes are ordered finite < infinity < NaN, and their maximum has no order.
  uint32_t most = 0;
#pragma omp parallel for reduction(max : most) if (n > 65536)
  for (int64_t i = 0; i < n; ++i) {
    most = std::max(most, std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
  }
  return std::bit_cast<float>(most);
}

void Histogram::add(const float* x, int64_t n) {
  const float absmax = magnitude(x, n);
  if (!std::isfinite(absmax)) {
    throw Error(fmt::format("{} among {} values of a histogram", absmax, n), "finite values",
                "find the step that overflows; calibrate in float32 or bfloat16");
  }
  add(x, n, absmax);
}

void Histogram::add(const float* x, int64_t n, float absmax) {
  const int64_t total = sum_of(total_, n);
  grow(absmax);
  zeros_ += cpu::histogram(x, n, width(), counts_.data(), kBins);
  total_ = total;
}

void Histogram::grow(float absmax) {
  widen(exponent_of(absmax));
  absmax_ = std::max(absmax_, absmax);
}

void Histogram::widen(int exponent) {
  if (exponent <= exponent_) return;
  const int shift = std::min(exponent - exponent_, 11);
  exponent_ = exponent;
  for (size_t j = 1; j < kBins; ++j) {
    const int64_t moved = counts_[j];
    counts_[j] = 0;
    counts_[j >> shift] += moved;
  }
}

void Histogram::add_counts(std::span<const int64_t> counts, int64_t zeros) {
  if (counts.size() != kBins) {
    refuse(fmt::format("{} histogram bins", counts.size()), fmt::format("{} bins", kBins));
  }
  int64_t total = sum_of(total_, zeros);
  for (const int64_t count : counts) total = sum_of(total, count);
  for (size_t j = 0; j < kBins; ++j) counts_[j] += counts[j];
  zeros_ += zeros;
  total_ = total;
}

void Histogram::merge(const Histogram& other) {
  sum_of(total_, other.total_);
  Histogram from = other;
  grow(from.absmax_);
  from.widen(exponent_);
  add_counts(from.counts_, from.zeros_);
}

Histogram Histogram::from_parts(float absmax, int64_t zeros, std::span<const int64_t> counts) {
  if (!std::isfinite(absmax) || std::signbit(absmax)) {
    refuse(fmt::format("histogram maximum {}", absmax), "a finite number, at least 0");
  }
  if (zeros < 0 || std::any_of(counts.begin(), counts.end(), [](int64_t n) { return n < 0; })) {
    refuse("a negative histogram count", "counts of at least 0");
  }
  Histogram made;
  made.grow(absmax);
  made.add_counts(counts, zeros);
  int top = 0;
  for (int j = 0; j < kBins; ++j) {
    if (made.count(j) > 0) top = j + 1;
  }
  if (top != made.used()) {
    refuse(fmt::format("histogram maximum {}, but {} bins of width {} in use", absmax, top,
                       made.width()),
           fmt::format("{} bins in use", made.used()));
  }
  return made;
}

float Histogram::width() const {
  return std::ldexp(1.0f, exponent_ - 11);
}

int Histogram::used() const {
  return absmax_ == 0 ? 0 : static_cast<int>(absmax_ / width()) + 1;
}

}  // namespace octet
