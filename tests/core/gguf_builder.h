// Writes GGUF byte by byte, well-formed or not.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace octet::testing {

template <typename T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::string gguf_text(const std::string& text) {
  return raw(uint64_t{text.size()}) + text;
}

inline std::string gguf_key(const std::string& name, uint32_t kind, const std::string& value) {
  return gguf_text(name) + raw(kind) + value;
}

/// dims as in the file: fastest first.
inline std::string gguf_tensor(const std::string& name, const std::vector<uint64_t>& dims,
                               uint32_t type, uint64_t offset) {
  std::string bytes = gguf_text(name) + raw(static_cast<uint32_t>(dims.size()));
  for (const uint64_t dim : dims) bytes += raw(dim);
  return bytes + raw(type) + raw(offset);
}

inline std::string gguf_file(const std::vector<std::string>& keys,
                             const std::vector<std::string>& tensors, const std::string& data = "",
                             size_t alignment = 32) {
  std::string bytes =
      "GGUF" + raw(uint32_t{3}) + raw(uint64_t{tensors.size()}) + raw(uint64_t{keys.size()});
  for (const auto& key : keys) bytes += key;
  for (const auto& tensor : tensors) bytes += tensor;
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
  return bytes + data;
}

}  // namespace octet::testing
