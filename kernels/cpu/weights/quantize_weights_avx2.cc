// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <cstdint>
#include <limits>

#include "kernels/cpu/weights/quantize_weights_rows.h"

// Traps are off everywhere; assuming so lets the compiler turn the clamps into masks.
#pragma GCC optimize("no-trapping-math", "no-math-errno", "fp-contract=off")
#pragma GCC target("avx2,fma")
#include "kernels/cpu/weights/quantize_weights-inl.h"

namespace octet::cpu {

const WeightKernels& weight_kernels_avx2() {
  return kWeightKernels;
}

}  // namespace octet::cpu
