#include "kernels/cpu/features.h"

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
    case Level::kVnni: return "avx512-vnni";
    case Level::kAvx2: return "avx2";
    default: return "portable";
  }
}

}  // namespace octet::cpu
