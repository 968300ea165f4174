// Sequential, bounds-checked reading of a GGUF header.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/io/input_file.h"

namespace octet {

/// Reads forward through `file`, which must outlive it. Reading past the end is an Error.
class GgufCursor {
 public:
  explicit GgufCursor(const InputFile& file) : file_(file) {}
  uint64_t position() const { return at_; }
  uint64_t left() const { return file_.size() - at_; }
  const std::filesystem::path& path() const { return file_.path(); }
  /// Throws an Error that names the file.
  [[noreturn]] void bad(const std::string& found, const std::string& expected) const;
  void bytes(std::span<std::byte> out);
  template <typename T>
  T number() {
    T value{};
    bytes(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
  /// A u64 length and that many bytes; longer than `limit` or the file is an Error naming `what`.
  std::string text(uint64_t limit, const std::string& what);

 private:
  void refill();
  const InputFile& file_;
  uint64_t at_ = 0, start_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace octet
