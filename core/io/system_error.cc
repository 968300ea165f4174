#include "core/io/system_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace octet {

void throw_system_error(const std::string& action, const std::filesystem::path& path,
                        const std::string& remedy) {
  const int code = errno;
  if (code == ENOSPC || code == EDQUOT) {
    throw Error(fmt::format("no space left while trying to {} {}", action, path.string()),
                "enough free space on that disk",
                "free some space and run the same command again, or choose another --out");
  }
  throw Error(
      fmt::format("\"{}\" while trying to {} {}", std::strerror(code), action, path.string()),
      "it to succeed", remedy);
}

}  // namespace octet
