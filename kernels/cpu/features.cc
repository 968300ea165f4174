#include "kernels/cpu/features.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace octet::cpu {

Level best_level() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    return Level::kVnni;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    return Level::kAvx2;
  }
  return Level::kPortable;
}

std::string name(Level level) {
  switch (level) {
    case Level::kVnni:
      return has_amx() ? "avx512-vnni, amx" : "avx512-vnni";
    case Level::kAvx2:
      return "avx2";
    default:
      return "portable";
  }
}

namespace {

constexpr unsigned kAmxTile = 1u << 24, kAmxInt8 = 1u << 25, kAmxBf16 = 1u << 22;

/// Whether all of these bits of CPUID leaf 7 (EDX) are there and the kernel hands out the tiles.
bool has_tiles(unsigned bits) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (best_level() != Level::kVnni || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  // Linux hands out the tile registers on request (ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA).
  return (d & bits) == bits && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

}  // namespace

bool has_amx() {
  static const bool available = has_tiles(kAmxTile | kAmxInt8);
  return available;
}

bool has_bf16() {
  return best_level() == Level::kVnni && __builtin_cpu_supports("avx512bf16");
}

bool has_amx_bf16() {
  static const bool available = has_tiles(kAmxTile | kAmxBf16);
  return available;
}

}  // namespace octet::cpu
