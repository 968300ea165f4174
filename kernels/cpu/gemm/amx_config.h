// The shape of AMX's tile registers that all kernels here use: eight tiles of 16 rows of 64 bytes.
#pragma once
#include <cstdint>

namespace octet::cpu {

inline constexpr int kAmxTileRows = 16;

/// What _tile_loadconfig reads (Intel SDM, "TILECFG"). Used as a constant, not built at run time:
/// GCC's _tile_loadconfig does not tell the optimizer that it reads all of it.
struct alignas(64) AmxConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {kAmxTileRows, kAmxTileRows, kAmxTileRows, kAmxTileRows,
                      kAmxTileRows, kAmxTileRows, kAmxTileRows, kAmxTileRows};
};
inline constexpr AmxConfig kAmxConfig;

}  // namespace octet::cpu
