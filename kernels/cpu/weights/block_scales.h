// FP8 weights with a factor a block of 128 x 128, as DeepSeek-V3 stores them: real = factor * code.
#pragma once
#include <cstdint>

namespace octet::cpu {

inline constexpr int64_t kScaleBlock = 128;

/// Blocks along a side of that size.
constexpr int64_t scale_blocks(int64_t size) {
  return size / kScaleBlock + (size % kScaleBlock != 0 ? 1 : 0);
}

/// Rows first_row .. first_row + rows of a matrix [n, k] from F8_E4M3 codes (of these rows alone)
/// to float. factors: of the whole matrix, [scale_blocks(n), scale_blocks(k)]. out [rows, k] is the
/// code's exact value times its factor, rounded once. Codes 0x7F and 0xFF are NaN. One thread.
void widen_e4m3(const uint8_t* codes, const float* factors, int64_t first_row, int64_t rows,
                int64_t k, float* out);

}  // namespace octet::cpu
