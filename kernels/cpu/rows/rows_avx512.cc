// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/cpu/rows/rows.h"

// Traps are off everywhere; assuming so lets the compiler turn the clamps into masks.
#pragma GCC optimize("no-trapping-math", "no-math-errno")
#pragma GCC target("avx512f,avx512bw,avx512vl,fma,prefer-vector-width=512")
#include "kernels/cpu/rows/rows-inl.h"

namespace octet::cpu {

const RowKernels& row_kernels_avx512() {
  return kRowKernels;
}

}  // namespace octet::cpu
