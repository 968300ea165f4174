// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/cpu/attention/decoding_rows.h"

// Traps are off everywhere; assuming so lets the compiler turn the clamps into masks.
#pragma GCC optimize("no-trapping-math", "no-math-errno")

#include "kernels/cpu/attention/decoding-inl.h"

namespace octet::cpu {

const DecodingRows& decoding_rows_portable() {
  return kDecodingRows;
}

}  // namespace octet::cpu
