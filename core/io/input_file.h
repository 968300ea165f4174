// Reading files: whole, or by position.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace octet {

/// Whole file as bytes. Throws Error if it cannot be read or is larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, uint64_t limit = uint64_t{1} << 31);

/// Read-only file with positioned reads; the size is taken at opening.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  InputFile(const InputFile&) = delete;
  uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  /// Fills `out` from `offset`; throws Error on a short read (the file shrank) or an I/O error.
  void read_at(uint64_t offset, std::span<std::byte> out) const;
  /// Hint that these bytes will not be read again: they need not stay in the page cache.
  void forget(uint64_t offset, uint64_t size) const noexcept;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

}  // namespace octet
