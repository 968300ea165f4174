#include "kernels/cpu/weight_only.h"

#include <algorithm>

#include "kernels/cpu/dots.h"
#include "kernels/cpu/scratch.h"

namespace octet::cpu {
namespace {

const DotKernels& kernels() {
  static const DotKernels& best = dot_kernels(best_level());
  return best;
}

/// y = dot * scale + bias over blocks of kDotColumns weight rows; scale and bias may be null.
template <typename T>
void gemm(void (*dots)(const T*, int, const float*, int64_t, int64_t, float*), const T* w,
          const float* scale, const float* bias, const float* x, int64_t m, int64_t n, int64_t k,
          float* y) {
  const int64_t blocks = (n + kDotColumns - 1) / kDotColumns;
#pragma omp parallel for schedule(static) if (m * n * k >= 2 * kSerialWork)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t first = b * kDotColumns;
    const int columns = static_cast<int>(std::min<int64_t>(kDotColumns, n - first));
    float* sums = thread_scratch<float>(kGemmScratch, m * kDotColumns);
    dots(w + first * k, columns, x, m, k, sums);
    for (int64_t i = 0; i < m; ++i) {
      for (int c = 0; c < columns; ++c) {
        float v = sums[i * kDotColumns + c];
        if (scale != nullptr) v *= scale[first + c];
        if (bias != nullptr) v += bias[first + c];
        y[i * n + first + c] = v;
      }
    }
  }
}

}  // namespace

void w8a16_gemm(const int8_t* q, const float* scale, const float* bias, const float* x, int64_t m,
                int64_t n, int64_t k, float* y) {
  if (m > 0) gemm(kernels().int8, q, scale, bias, x, m, n, k, y);
}

void f16_gemm(const uint16_t* w, const float* bias, const float* x, int64_t m, int64_t n, int64_t k,
              float* y) {
  if (m > 0) gemm(kernels().half, w, nullptr, bias, x, m, n, k, y);
}

void widen_int8_rows(const int8_t* q, const float* scale, int64_t rows, int64_t k, float* out) {
#pragma omp parallel for schedule(static) if (rows * k >= kSerialWork)
  for (int64_t r = 0; r < rows; ++r) kernels().widen_int8(q + r * k, k, scale[r], out + r * k);
}

void widen_f16_rows(const uint16_t* w, int64_t rows, int64_t k, float* out) {
#pragma omp parallel for schedule(static) if (rows * k >= kSerialWork)
  for (int64_t r = 0; r < rows; ++r) kernels().widen_half(w + r * k, k, out + r * k);
}

}  // namespace octet::cpu
