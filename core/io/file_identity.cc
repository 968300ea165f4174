#include "core/io/file_identity.h"

#include <sys/stat.h>
#include <nlohmann/json.hpp>

#include "core/io/system_error.h"

namespace octet {
namespace fs = std::filesystem;
nlohmann::json file_identity(const fs::path& path) {
  nlohmann::json identity = nlohmann::json::object();
  const auto add = [&identity](const fs::path& file) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0)
      throw_system_error("read", file, "check the path and its permissions");
    identity[file.filename().string()] = {
        {"size", info.st_size},
        {"mtime_ns", info.st_mtim.tv_sec * 1000000000LL + info.st_mtim.tv_nsec}};
  };
  if (!fs::is_directory(path)) {
    add(path);
    return identity;
  }
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.is_regular_file()) add(entry.path());
  }
  return identity;
}

}  // namespace octet
