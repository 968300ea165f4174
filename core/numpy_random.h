// The indices that numpy.random.default_rng(seed).integers draws, so that resamples are those of
// tools written in Python. PCG64 (O'Neill, 2014; XSL-RR output), seeded through numpy's
// SeedSequence; bounded integers by Lemire's method (2019). For everything else take core/random.h.
#pragma once
#include <cstdint>
#include <optional>

namespace octet {

class NumpyRandom {
 public:
  explicit NumpyRandom(uint64_t seed);
  uint64_t next();                 ///< 64 bits
  uint32_t below(uint32_t bound);  ///< [0, bound), bound > 0

 private:
  uint32_t next_half();
  unsigned __int128 state_ = 0, increment_ = 0;
  std::optional<uint32_t> high_half_;  // of the last 64 bits, not yet used
};

}  // namespace octet
