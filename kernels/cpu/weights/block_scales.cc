#include "kernels/cpu/weights/block_scales.h"

#include <algorithm>
#include <array>
#include <limits>

namespace octet::cpu {
namespace {

// E4M3 without infinities: sign, four bits of exponent (bias 7), three of mantissa; only an
// all-ones code is NaN (Micikevicius et al. 2022, "FP8 formats for deep learning").
constexpr float e4m3_value(int code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  float value = static_cast<float>(exponent == 0 ? mantissa : 8 + mantissa) / 512;  // 2^-9
  for (int i = 1; i < exponent; ++i) value *= 2;
  if ((code & 0x7f) == 0x7f) value = std::numeric_limits<float>::quiet_NaN();
  return code & 0x80 ? -value : value;
}

constexpr std::array<float, 256> make_table() {
  std::array<float, 256> table{};
  for (int code = 0; code < 256; ++code) table[static_cast<size_t>(code)] = e4m3_value(code);
  return table;
}

constexpr std::array<float, 256> kValues = make_table();

}  // namespace

void widen_e4m3(const uint8_t* codes, const float* factors, int64_t first_row, int64_t rows,
                int64_t k, float* out) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* row_factors = factors + (first_row + row) / kScaleBlock * scale_blocks(k);
    for (int64_t begin = 0; begin < k; begin += kScaleBlock) {
      const float factor = row_factors[begin / kScaleBlock];
      const int64_t end = std::min(begin + kScaleBlock, k);
      for (int64_t i = begin; i < end; ++i) out[row * k + i] = factor * kValues[codes[row * k + i]];
    }
  }
}

}  // namespace octet::cpu
