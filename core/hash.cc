#include "core/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "core/io/input_file.h"

namespace octet {

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void Sha256::update(std::span<const std::byte> data) {
  EVP_DigestUpdate(context_.get(), data.data(), data.size());
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), digest, &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256(std::span<const std::byte> data) {
  Sha256 hash;
  hash.update(data);
  return hash.hex();
}

std::string sha256(const std::string& text) {
  return sha256(std::as_bytes(std::span(text)));
}

std::string sha256_file(const std::filesystem::path& path) {
  const InputFile file(path);
  std::vector<std::byte> buffer(size_t{1} << 20);
  Sha256 hash;
  for (uint64_t at = 0; at < file.size(); at += buffer.size()) {
    const auto part = std::span(buffer).first(std::min<uint64_t>(buffer.size(), file.size() - at));
    file.read_at(at, part);
    hash.update(part);
  }
  return hash.hex();
}

}  // namespace octet
