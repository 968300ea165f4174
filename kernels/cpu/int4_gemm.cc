#include "kernels/cpu/int4_gemm.h"

#include <cstring>

namespace octet::cpu {
namespace {

// Two codes a byte, the even one low, as code + 8.
float code_at(const uint8_t* row, int64_t j) {
  return static_cast<float>((row[j / 2] >> (j % 2 * 4) & 15) - 8);
}

}  // namespace

PackedInt4::PackedInt4(const int8_t* codes, const float* scales, int64_t n, int64_t k,
                       int64_t group)
    : n_(n), k_(k), group_(group) {
  auto* packed = static_cast<uint8_t*>(codes_.reserve(static_cast<size_t>(n * k / 2)));
  for (int64_t i = 0; i < n * k / 2; ++i) {
    packed[i] = static_cast<uint8_t>((codes[2 * i] + 8) | (codes[2 * i + 1] + 8) << 4);
  }
  const size_t bytes = static_cast<size_t>(n * (k / group)) * sizeof(float);
  std::memcpy(scales_.reserve(bytes), scales, bytes);
}

uint64_t PackedInt4::bytes() const {
  return codes_.size() + scales_.size();
}

void PackedInt4::gemm(const float* x, int64_t m, const float* bias, float* y) const {
#pragma omp parallel for schedule(static) if (m * n_ * k_ >= kSerialWork)
  for (int64_t j = 0; j < n_; ++j) {
    float* row = thread_scratch<float>(kGemmScratch, k_);
    widen(j, 1, row);
    for (int64_t i = 0; i < m; ++i) {
      float sum = bias == nullptr ? 0 : bias[j];
      for (int64_t c = 0; c < k_; ++c) sum += x[i * k_ + c] * row[c];
      y[i * n_ + j] = sum;
    }
  }
}

void PackedInt4::widen(int64_t first, int64_t rows, float* out) const {
  const auto* codes = static_cast<const uint8_t*>(codes_.data());
  const auto* scales = static_cast<const float*>(scales_.data());
  for (int64_t r = 0; r < rows; ++r) {
    const uint8_t* row = codes + (first + r) * k_ / 2;
    const float* scale = scales + (first + r) * (k_ / group_);
    for (int64_t j = 0; j < k_; ++j) out[r * k_ + j] = code_at(row, j) * scale[j / group_];
  }
}

}  // namespace octet::cpu
