#include "core/available_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace octet {
namespace fs = std::filesystem;
namespace {

// Files of /proc and /sys have size 0, so InputFile does not serve.
std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<uint64_t> number(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  uint64_t value = 0;
  const auto read = std::from_chars(text.data() + begin, text.data() + text.size(), value);
  return read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

// The number behind `name` at the start of a line.
std::optional<uint64_t> field(std::string_view text, std::string_view name) {
  for (;;) {
    if (text.starts_with(name)) return number(text.substr(name.size()));
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
}

struct Hierarchy {
  const char *folder, *limit, *usage, *droppable;  // droppable: a line of memory.stat
};
constexpr Hierarchy kVersion1{"sys/fs/cgroup/memory", "memory.limit_in_bytes",
                              "memory.usage_in_bytes", "total_inactive_file "};
constexpr Hierarchy kVersion2{"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "};

// What one group leaves; no limit is "max" in version 2 and a huge number in version 1.
std::optional<uint64_t> left_by(const fs::path& group, const Hierarchy& names) {
  const auto limit = number(text_of(group / names.limit));
  const auto usage = number(text_of(group / names.usage));
  if (!limit || !usage) return std::nullopt;
  const uint64_t droppable = field(text_of(group / "memory.stat"), names.droppable).value_or(0);
  const uint64_t held = *usage - std::min(*usage, droppable);
  return *limit - std::min(*limit, held);
}

// The least that the group at `path` and those above it leave. Inside a container the path may be
// the host's: groups that are not there are passed over.
uint64_t least_left(const fs::path& root, const Hierarchy& names, fs::path path, uint64_t least) {
  for (path = path.relative_path();; path = path.parent_path()) {
    if (const auto left = left_by(root / names.folder / path, names))
      least = std::min(least, *left);
    if (path.empty()) return least;
  }
}

}  // namespace

uint64_t available_memory(const fs::path& root) {
  const auto kilobytes = field(text_of(root / "proc/meminfo"), "MemAvailable:");
  if (!kilobytes) return 0;
  uint64_t least = *kilobytes * 1024;
  std::ifstream groups(root / "proc/self/cgroup");
  // A line is HIERARCHY:CONTROLLERS:PATH; version 2 has number 0 and no controllers.
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const fs::path path = line.substr(second + 1);
    if (controllers.find(",memory,") != std::string::npos) {
      least = least_left(root, kVersion1, path, least);
    } else if (controllers == ",,") {
      least = least_left(root, kVersion2, path, least);
    }
  }
  return least;
}

}  // namespace octet
