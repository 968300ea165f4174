#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/cpu/gemm/dots.h"

namespace octet::cpu {
namespace {

struct Ops {
  static constexpr int kLanes = 8, kRegisters = 16, kMaxRows = 4;
  struct Reg {
    float lane[kLanes];
  };
  static Reg zero() { return {}; }
  static Reg load(const float* p) {
    return convert(p, [](float v) { return v; });
  }
  static Reg load(const uint16_t* p) { return convert(p, from_half); }
  static void store(float* p, const Reg& v) {
    for (int i = 0; i < kLanes; ++i) p[i] = v.lane[i];
  }
  static Reg fma(const Reg& a, const Reg& b, Reg c) {
    for (int i = 0; i < kLanes; ++i) c.lane[i] += a.lane[i] * b.lane[i];
    return c;
  }
  static float sum(const Reg& v) {
    const float* a = v.lane;
    return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
  }

 private:
  template <typename T, typename Convert>
  static Reg convert(const T* p, const Convert& one) {
    Reg out;
    for (int i = 0; i < kLanes; ++i) out.lane[i] = one(p[i]);
    return out;
  }
  /// Exact: the exponent is rebased by a product, which also normalizes subnormals.
  static float from_half(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
    const uint32_t rest = static_cast<uint32_t>(h & 0x7fffu) << 13;
    if (rest >= 0x0f800000u) return std::bit_cast<float>(sign | 0x70000000u | rest);
    const float value = std::bit_cast<float>(rest) * 0x1p112f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/gemm/dots-inl.h"

namespace octet::cpu {

Dots dots_portable() {
  return dots;
}

Dots best_dots(Level level) {
  switch (level) {
    case Level::kVnni:
      return dots_avx512();
    case Level::kAvx2:
      return dots_avx2();
    default:
      return dots_portable();
  }
}

}  // namespace octet::cpu
