// Files that appear under their final name only when they are complete.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace octet {

/// What stands between the final name of an AtomicFile and the process that writes it.
inline constexpr const char* kTemporaryMark = ".tmp.";

/// Written to PATH.tmp.PID, then fsync + rename + fsync of the folder by commit(). Without commit
/// the temporary is removed. Errors (disk full included) name the path and the missing bytes.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> data);                      ///< appends
  void write(const std::string& text);                              ///< appends
  void write_at(uint64_t offset, std::span<const std::byte> data);  ///< positioned
  /// Reserves `bytes` on disk, so that a full disk is detected before the work starts.
  void reserve(uint64_t bytes);
  const std::filesystem::path& temporary() const { return temporary_; }
  /// `durable` false skips the flush to disk: for working files that a restart can make again.
  void commit(bool durable = true);

 private:
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  uint64_t end_ = 0;
};

void write_file(const std::filesystem::path& path, const std::string& text);

/// Makes renames and removals in `folder` durable.
void sync_folder(const std::filesystem::path& folder);

}  // namespace octet
