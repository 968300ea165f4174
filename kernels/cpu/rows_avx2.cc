// Standard headers come before the pragma: their inline functions must stay runnable on any CPU.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/cpu/rows.h"

#pragma GCC target("avx2,fma")
#include "kernels/cpu/rows-inl.h"

namespace octet::cpu {

const RowKernels& row_kernels_avx2() {
  return kRowKernels;
}

}  // namespace octet::cpu
