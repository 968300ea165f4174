// The inner loops of int8_gemm, one set per CPU level. All share one shape of data:
//   panel  int8  [groups][columns][group]: weights of `columns` neighbouring outputs, `group` steps
//   of k
//          together, zero-padded in both directions;
//   x      int32 [groups][rows]: each int32 holds the `group` codes of one row that meet one group;
//   acc    int32 [rows][columns], added to.
#pragma once
#include <cstdint>

#include "kernels/cpu/features.h"

namespace octet::cpu {

/// y[c] = acc[c] * row_scale * col_scale[c] + bias[c] for c < n (bias may be null), each step
/// rounded on its own.
using ScaleRow = void (*)(const int32_t* acc, int64_t n, float row_scale, const float* col_scale,
                          const float* bias, float* y);

struct Int8Tile {
  int group;       ///< steps of k in one int32 of x
  int columns;     ///< outputs of one panel
  int max_rows;    ///< rows of one tile
  int chunk;       ///< groups between two visits of acc, so that a panel's chunk stays in the first
                   ///< cache
  int32_t offset;  ///< what pack_x adds to each code, undone through column sums
  /// x: int8 [rows, k] with row stride k -> [groups][rows], the last group zero-padded.
  void (*pack_x)(const int8_t* x, int64_t k, int rows, int32_t* packed);
  void (*run)(int rows, const int8_t* panel, const int32_t* x, int64_t groups, int32_t* acc);
  int streams;  ///< most panels of one run_row: weights that come from memory want several at once
  /// One row against `panels` (a power of two) that lie one behind the other, each `groups` long.
  void (*run_row)(int panels, const int8_t* panel, const int32_t* x, int64_t groups, int32_t* acc);
  ScaleRow scale_row;  ///< null: int8_gemm's own loop
};

inline constexpr int kMaxTileRows = 12, kMaxTileColumns = 32, kMaxStreams = 8;

const Int8Tile& int8_tile(Level level);
const Int8Tile& int8_tile_portable();
const Int8Tile& int8_tile_avx2();
const Int8Tile& int8_tile_vnni();

}  // namespace octet::cpu
