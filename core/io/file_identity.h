// Files by size and time, for resume keys.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace octet {

/// {path, size, mtime_ns} of a file, or of a directory's files: cheap identity for resume keys.
nlohmann::json file_identity(const std::filesystem::path& path);

}  // namespace octet
