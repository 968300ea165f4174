#include "core/numpy_random.h"

#include <array>
#include <bit>

namespace octet {
namespace {

using uint128 = unsigned __int128;

constexpr uint128 wide(uint64_t high, uint64_t low) {
  return uint128{high} << 64 | low;
}

constexpr uint128 kMultiplier = wide(0x2360ED051FC65DA4, 0x4385DF649FCCF645);

// A word of entropy hashed with a constant that changes from one word to the next.
class Hash {
 public:
  Hash(uint32_t constant, uint32_t multiplier) : constant_(constant), multiplier_(multiplier) {}
  uint32_t operator()(uint32_t value) {
    value ^= constant_;
    constant_ *= multiplier_;
    value *= constant_;
    return value ^ value >> 16;
  }

 private:
  uint32_t constant_, multiplier_;
};

uint32_t mix(uint32_t a, uint32_t b) {
  const uint32_t mixed = 0xCA01F9DD * a - 0x4973F715 * b;
  return mixed ^ mixed >> 16;
}

// Four 64-bit words from a seed: SeedSequence(seed).generate_state(4, uint64).
std::array<uint64_t, 4> spread(uint64_t seed) {
  std::array<uint32_t, 4> pool = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  Hash in(0x43B0D7E5, 0x931E8875);
  for (uint32_t& word : pool) word = in(word);
  for (size_t from = 0; from < pool.size(); ++from) {
    for (size_t to = 0; to < pool.size(); ++to) {
      if (from != to) pool[to] = mix(pool[to], in(pool[from]));
    }
  }
  Hash out(0x8B51F9DD, 0x58F38DED);
  std::array<uint64_t, 4> words{};
  for (size_t i = 0; i < 2 * words.size(); ++i)
    words[i / 2] |= uint64_t{out(pool[i % pool.size()])} << (i % 2 * 32);
  return words;
}

}  // namespace

NumpyRandom::NumpyRandom(uint64_t seed) {
  const auto words = spread(seed);
  increment_ = wide(words[2], words[3]) << 1 | 1;
  state_ = (increment_ + wide(words[0], words[1])) * kMultiplier + increment_;
}

uint64_t NumpyRandom::next() {
  state_ = state_ * kMultiplier + increment_;
  const auto folded = static_cast<uint64_t>(state_ >> 64) ^ static_cast<uint64_t>(state_);
  return std::rotr(folded, static_cast<int>(state_ >> 122));
}

uint32_t NumpyRandom::next_half() {
  if (high_half_) {
    const uint32_t half = *high_half_;
    high_half_.reset();
    return half;
  }
  const uint64_t bits = next();
  high_half_ = static_cast<uint32_t>(bits >> 32);
  return static_cast<uint32_t>(bits);
}

uint32_t NumpyRandom::below(uint32_t bound) {
  if (bound == 1) return 0;  // numpy draws nothing then
  uint64_t product = uint64_t{next_half()} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t threshold = (0U - bound) % bound;
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next_half()} * bound;
  }
  return static_cast<uint32_t>(product >> 32);
}

}  // namespace octet
