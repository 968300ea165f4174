// Counter-based random numbers: the value depends on (seed, purpose, index) alone, never on order.
// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace octet {

class Random {
 public:
  Random(uint64_t seed, std::string_view purpose);
  uint64_t bits(uint64_t index) const;                  ///< 64 uniform bits
  double uniform(uint64_t index) const;                 ///< [0, 1), 53 bits
  uint64_t below(uint64_t index, uint64_t n) const;     ///< [0, n), n > 0
  double normal(uint64_t index) const;                  ///< mean 0, deviation 1
  std::vector<uint64_t> permutation(uint64_t n) const;  ///< Fisher-Yates over 0..n-1

 private:
  uint64_t seed_, key_;
};

}  // namespace octet
