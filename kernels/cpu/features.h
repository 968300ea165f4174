// What the CPU at hand can do. Kernels choose at run time; tests force each level that exists here.
#pragma once
#include <string>

namespace octet::cpu {

/// Integer dot product levels, slowest first. kPortable: plain C++. kAvx2: exact 16-bit
/// multiply-add. kVnni: AVX512-VNNI u8 x s8 (activations shifted by 128, corrected by column sums).
enum class Level { kPortable, kAvx2, kVnni };

/// The best level of this CPU.
Level best_level();
std::string name(Level level);

/// Whether kVnni may use AMX's INT8 tiles for many rows. The first call asks the kernel for them.
bool has_amx();

/// Whether AVX512-BF16 is there (with Level::kVnni), and AMX's bfloat16 tiles.
bool has_bf16();
bool has_amx_bf16();

}  // namespace octet::cpu
