// Memory that this process may still take, as the kernel and its control groups say.
#pragma once
#include <cstdint>
#include <filesystem>

namespace octet {

/// Bytes: MemAvailable of /proc/meminfo, or less where a memory cgroup (v1 or v2) of this process
/// or one above it leaves less under its limit; page cache that can be dropped counts as free. 0
/// where the kernel does not say. `root` is where proc/ and sys/ are mounted.
uint64_t available_memory(const std::filesystem::path& root = "/");

}  // namespace octet
