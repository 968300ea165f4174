#include "kernels/cpu/rows/fake_quant.h"

#include <bit>

namespace octet::cpu {
namespace {

constexpr int64_t kPiece = int64_t{1} << 14;

// `body` over [first, last) of `count` values, on all threads.
template <typename Body>
void in_pieces(int64_t count, const Body& body) {
#pragma omp parallel for schedule(static) if (count > kPiece)
  for (int64_t first = 0; first < count; first += kPiece) {
    body(first, first + kPiece < count ? first + kPiece : count);
  }
}

float masked(float value, uint32_t keep) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) & keep);
}

}  // namespace

void dequantize_weights(const int8_t* q, int64_t rows, int64_t k, const float* scales, bool per_row,
                        float* out) {
#pragma omp parallel for schedule(static) if (rows * k > kPiece)
  for (int64_t r = 0; r < rows; ++r) {
    const float scale = scales[per_row ? r : 0];
    const int8_t* from = q + r * k;
    float* to = out + r * k;
    for (int64_t j = 0; j < k; ++j) to[j] = scale * static_cast<float>(from[j]);
  }
}

void mask_gradient(const uint8_t* inside, int64_t count, float* gradient) {
  in_pieces(count, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      gradient[i] = masked(gradient[i], 0U - static_cast<uint32_t>(inside[i]));
    }
  });
}

void mask_beyond(const float* x, float limit, int64_t count, float* gradient) {
  in_pieces(count, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const bool keep = x[i] > -limit && x[i] < limit;
      gradient[i] = masked(gradient[i], 0U - static_cast<uint32_t>(keep));
    }
  });
}

}  // namespace octet::cpu
