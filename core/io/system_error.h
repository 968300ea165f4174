// errno as an Error that a user reads.
#pragma once
#include <filesystem>
#include <string>

namespace octet {

/// Throws Error from errno: `action` ("write") and path complete "... while trying to write PATH".
/// A full disk is told as such.
[[noreturn]] void throw_system_error(const std::string& action, const std::filesystem::path& path,
                                     const std::string& remedy);

}  // namespace octet
