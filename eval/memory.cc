#include "eval/memory.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

#include "core/error.h"

namespace octet {
namespace {

// "\nNAME:   1234 kB" to bytes.
uint64_t field(std::string_view status, std::string_view name) {
  size_t at = status.find(std::string("\n") + std::string(name) + ":");
  if (at != std::string_view::npos) {
    at = status.find_first_not_of(" \t", at + name.size() + 2);
    uint64_t value = 0;
    if (at != std::string_view::npos) {
      const auto [end, error] =
          std::from_chars(status.data() + at, status.data() + status.size(), value);
      const std::string_view rest = status.substr(static_cast<size_t>(end - status.data()));
      if (error == std::errc() && rest.starts_with(" kB") && value < (uint64_t{1} << 50)) {
        return value * 1024;
      }
    }
  }
  throw Error("no line \"" + std::string(name) + ": N kB\" in the process status",
              "the format of Linux", "run on Linux with /proc mounted");
}

}  // namespace

MemoryUse parse_status(std::string_view status) {
  return {.resident = field(status, "VmRSS"), .peak = field(status, "VmHWM")};
}

MemoryUse memory_use() {
  // Files of /proc have size 0, so core's InputFile does not serve.
  std::ifstream file("/proc/self/status");
  return parse_status(std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace octet
