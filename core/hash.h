// SHA-256 (OpenSSL) as lower-case hex.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace octet {

/// In pieces.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> data);
  std::string hex();  ///< of everything so far; once
 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

std::string sha256(std::span<const std::byte> data);
std::string sha256(const std::string& text);
std::string sha256_file(const std::filesystem::path& path);
}  // namespace octet
