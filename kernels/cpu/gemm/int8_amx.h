// int8_gemm for many rows on CPUs with AMX tiles. Reads the panels that PackedInt8 makes for
// Level::kVnni: 16 groups of such a panel are a tile of weights as tdpbssd wants it.
#pragma once
#include <cstdint>

namespace octet::cpu {

/// Rows of one block and steps of k in one tile; the panel width is kMaxTileColumns.
inline constexpr int64_t kAmxRows = 32, kAmxDepth = 64;

struct AmxCall {
  const int8_t* x;  ///< [rows, k], signed: no offset
  int64_t k;        ///< a multiple of kAmxDepth
  const float* row_scale;
  bool per_row;
  const float* col_scale;
  const float* bias;  ///< or null
  float* y;           ///< [rows, n]
  int64_t n;
};

/// Rows [first, last) of y at columns [column, column + 32) that exist, from the panel of those
/// columns. last - first is any positive number, but last >= kAmxRows: the last block of rows reads
/// back over rows before it instead of beyond the end.
void amx_panel(const AmxCall& call, const int8_t* panel, int64_t column, int64_t first,
               int64_t last);

}  // namespace octet::cpu
