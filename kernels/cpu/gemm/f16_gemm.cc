#include "kernels/cpu/gemm/f16_gemm.h"

#include <algorithm>

#include "kernels/cpu/gemm/dots.h"
#include "kernels/cpu/scratch.h"

namespace octet::cpu {

void f16_gemm(const uint16_t* w, const float* bias, const float* x, int64_t m, int64_t n, int64_t k,
              float* y) {
  if (m == 0) return;
  static const Dots dots = best_dots(best_level());
  const int64_t blocks = (n + kDotColumns - 1) / kDotColumns;
#pragma omp parallel for schedule(static) if (m * n * k >= 2 * kSerialWork)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t first = b * kDotColumns;
    const int columns = static_cast<int>(std::min<int64_t>(kDotColumns, n - first));
    float* sums = thread_scratch<float>(kGemmScratch, m * kDotColumns);
    dots(w + first * k, columns, x, m, k, sums);
    for (int64_t i = 0; i < m; ++i) {
      for (int c = 0; c < columns; ++c) {
        const float sum = sums[i * kDotColumns + c];
        y[i * n + first + c] = bias == nullptr ? sum : sum + bias[first + c];
      }
    }
  }
}

}  // namespace octet::cpu
