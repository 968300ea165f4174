// Kernels that no reader calls, so that the fuzz targets link without gcc's SIMD code.
#include <cstdlib>

#include "kernels/cpu/statistics/statistics.h"

namespace octet::cpu {

void channel_absmax(const float*, int64_t, int64_t, float*) {
  std::abort();
}

int64_t histogram(const float*, int64_t, float, int64_t*, int64_t) {
  std::abort();
}

}  // namespace octet::cpu
