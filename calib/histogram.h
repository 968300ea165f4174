// Histogram of magnitudes that merges to the same bits over any split of the data and in any order.
#pragma once
#include <array>
#include <cstdint>
#include <span>

namespace octet {

/// Counts of |x| in 2048 bins of width 2^(e-11), where e = floor(log2 absmax) + 1 (never below
/// kMinExponent), so absmax < 2^e strictly. Bin j holds j * width <= |x| < (j + 1) * width, x != 0;
/// exact zeros are counted apart. Because the width is a power of two, growing by merging bins in
/// pairs gives just the counts that the wider bins would have had from the start: the state is a
/// function of the multiset of values alone.
class Histogram {
 public:
  static constexpr int kBins = 2048;
  /// Width 2^-126, the smallest normal float32: subnormal values fall into bin 0.
  static constexpr int kMinExponent = -115;

  /// x: float32 [n]. Error on NaN or infinity, with nothing added.
  void add(const float* x, int64_t n);
  /// The same where the largest magnitude of x is known already; it must be exact and finite.
  void add(const float* x, int64_t n, float absmax);

  /// Widens the bins to hold `absmax`, which counts as seen from now on. For counts computed
  /// elsewhere: call grow(absmax of the data), count with width(), then call add_counts().
  void grow(float absmax);
  /// counts [kBins] in bins of width(), without the zeros.
  void add_counts(std::span<const int64_t> counts, int64_t zeros);

  /// Associative and commutative to the bit. Error when the total would not fit 63 bits.
  void merge(const Histogram& other);

  /// A histogram from stored parts. Error unless every count is at least 0, the total fits 63 bits,
  /// absmax is finite and not negative, and the highest bin in use is the one of absmax.
  static Histogram from_parts(float absmax, int64_t zeros, std::span<const int64_t> counts);

  int64_t count(int bin) const { return counts_[static_cast<size_t>(bin)]; }
  std::span<const int64_t> counts() const { return counts_; }
  int64_t zeros() const { return zeros_; }
  int64_t total() const { return total_; }  ///< zeros included
  float absmax() const { return absmax_; }
  int exponent() const { return exponent_; }
  float width() const;
  /// Bins up to and including the one that holds absmax; 0 when nothing but zeros was seen.
  int used() const;

  bool operator==(const Histogram&) const = default;

 private:
  void widen(int exponent);
  std::array<int64_t, kBins> counts_{};
  int64_t zeros_ = 0, total_ = 0;
  float absmax_ = 0;
  int exponent_ = kMinExponent;
};

/// Largest |x_i| of float32 x [n]; NaN when one is NaN, else infinity when one is. 0 when n is 0.
float magnitude(const float* x, int64_t n);

}  // namespace octet
