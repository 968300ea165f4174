// A file inside a StageDir that is filled by several threads, over several runs if need be.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>

namespace octet {

/// A file of known size. Bytes may be written in any order, from several threads.
class OutputFile {
 public:
  /// Opens it, or makes it, with `size` bytes reserved on disk where the file system can.
  OutputFile(std::filesystem::path path, uint64_t size);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  const std::filesystem::path& path() const { return path_; }
  /// True when it stood before with this size: what an earlier run wrote is there.
  bool resumed() const { return resumed_; }
  /// Writes and sets the disk to work on it.
  void write_at(uint64_t offset, std::span<const std::byte> data) const;
  /// Returns when everything written before is on disk.
  void sync() const;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  bool resumed_ = false;
};

/// Error telling what is needed and what is free, unless the disk of `folder` has room for `bytes`.
void require_space(const std::filesystem::path& folder, uint64_t bytes);

/// Bytes on disk that a file already holds; 0 when there is none.
uint64_t allocated_bytes(const std::filesystem::path& file);

}  // namespace octet
