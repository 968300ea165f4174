// Memory of this process as the kernel counts it.
#pragma once
#include <cstdint>
#include <string_view>

namespace octet {

/// Bytes of physical memory, mapped files included.
struct MemoryUse {
  uint64_t resident = 0;  ///< VmRSS: now
  uint64_t peak = 0;      ///< VmHWM: the most since the process started
};

/// From the text of /proc/PID/status. Throws Error if either line is missing or malformed.
MemoryUse parse_status(std::string_view status);

/// Of this process. Throws Error if /proc cannot be read.
MemoryUse memory_use();

}  // namespace octet
