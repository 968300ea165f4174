#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/gemm/int8_tile.h"

namespace octet::cpu {
namespace {

struct Ops {
  static constexpr ScaleRow kScaleRow = nullptr;
  struct Reg {
    int32_t lane[8];
  };
  static constexpr int kGroup = 2, kLanes = 8, kVectors = 2, kMaxRows = 4, kChunk = 512;
  static constexpr int kStreams = 1, kChains = 2;
  static constexpr int32_t kOffset = 0;
  static Reg zero() { return {}; }
  /// Each lane: the two codes of one output.
  static Reg weights(const int8_t* w) {
    Reg out;
    for (int i = 0; i < 8; ++i) out.lane[i] = encode(w + 2 * i);
    return out;
  }
  static Reg spread(int32_t x) {
    Reg out;
    for (int32_t& lane : out.lane) lane = x;
    return out;
  }
  static Reg dot(Reg acc, const Reg& w, const Reg& x) {
    for (int i = 0; i < 8; ++i) {
      acc.lane[i] += static_cast<int16_t>(w.lane[i]) * static_cast<int16_t>(x.lane[i]) +
                     (w.lane[i] >> 16) * (x.lane[i] >> 16);
    }
    return acc;
  }
  static Reg add(Reg a, const Reg& b) {
    for (int i = 0; i < 8; ++i) a.lane[i] += b.lane[i];
    return a;
  }
  static Reg load(const int32_t* p) {
    Reg out;
    std::memcpy(&out, p, sizeof out);
    return out;
  }
  static void store(int32_t* p, const Reg& v) { std::memcpy(p, &v, sizeof v); }
  static int32_t encode(const int8_t* x) {
    return static_cast<int32_t>(static_cast<uint16_t>(x[0]) |
                                static_cast<uint32_t>(static_cast<uint16_t>(x[1])) << 16);
  }
};

}  // namespace
}  // namespace octet::cpu

#include "kernels/cpu/gemm/int8_tile-inl.h"

namespace octet::cpu {

const Int8Tile& int8_tile_portable() {
  return kInt8Tile;
}

const Int8Tile& int8_tile(Level level) {
  switch (level) {
    case Level::kVnni:
      return int8_tile_vnni();
    case Level::kAvx2:
      return int8_tile_avx2();
    default:
      return int8_tile_portable();
  }
}

}  // namespace octet::cpu
