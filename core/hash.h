// SHA-256 (OpenSSL) as lower-case hex.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace octet {
std::string sha256(std::span<const std::byte> data);
std::string sha256(const std::string& text);
std::string sha256_file(const std::filesystem::path& path);
}  // namespace octet
