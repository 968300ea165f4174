// exp for loops over floats and over vectors of floats (of the compiler's vector_size kind).
// Internal linkage and always inlined: each including file gets it in its own instructions.
#pragma once
#include <cstdint>
#include <type_traits>

// Nothing that takes or returns a vector is called out of line: its calling convention does not
// matter.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace octet::cpu {
namespace {

constexpr float kLowestExponent = -87.0F;  ///< exp() of less is subnormal

template <class Real>
struct IntegerLanes {
  using type __attribute__((vector_size(sizeof(Real)))) = int32_t;
};
template <>
struct IntegerLanes<float> {
  using type = int32_t;
};

/// exp(x) for |x| <= 87 within 2 ulp; NaN stays NaN. Reduction and polynomial of Cephes expf
/// (Moshier).
template <class Real>
[[gnu::always_inline]] inline Real exp_bounded(Real x) {
  using Integer = typename IntegerLanes<Real>::type;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const Real shifted = x * 1.44269504088896341F + kRound;
  const Real k = shifted - kRound;
  const Real r = (x - k * 0.693359375F) + k * 2.12194440e-4F;
  Real p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  // The integer stands in the low bits of `shifted`; all above them is shifted out.
  return p * __builtin_bit_cast(Real, (__builtin_bit_cast(Integer, shifted) + 127) << 23);
}

/// exp(x) for x <= 0, never below exp(kLowestExponent).
template <class Real>
[[gnu::always_inline]] inline Real exp_nonpositive(Real x) {
  const Real lowest = Real{} + kLowestExponent;
  return exp_bounded<Real>(x < lowest ? lowest : x);
}

}  // namespace
}  // namespace octet::cpu
