#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/cpu/rows/rows.h"

// Traps are off everywhere; assuming so lets the compiler turn the clamps into masks.
#pragma GCC optimize("no-trapping-math", "no-math-errno")
#include "kernels/cpu/rows/rows-inl.h"

namespace octet::cpu {

const RowKernels& row_kernels_portable() {
  return kRowKernels;
}

const RowKernels& row_kernels(Level level) {
  switch (level) {
    case Level::kVnni:
      return row_kernels_avx512();
    case Level::kAvx2:
      return row_kernels_avx2();
    default:
      return row_kernels_portable();
  }
}

}  // namespace octet::cpu
