// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <cstdint>
#include <limits>

#include "kernels/cpu/weights/quantize_weights_rows.h"

// Traps are off everywhere; assuming so lets the compiler turn the clamps into masks.
#pragma GCC optimize("no-trapping-math", "no-math-errno", "fp-contract=off")
#include "kernels/cpu/weights/quantize_weights-inl.h"

namespace octet::cpu {

const WeightKernels& weight_kernels_portable() {
  return kWeightKernels;
}

const WeightKernels& weight_kernels(Level level) {
  switch (level) {
    case Level::kVnni:
      return weight_kernels_avx512();
    case Level::kAvx2:
      return weight_kernels_avx2();
    default:
      return weight_kernels_portable();
  }
}

}  // namespace octet::cpu
