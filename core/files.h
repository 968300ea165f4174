// The only ways to write: AtomicFile and StageDir. Nothing half-written ever has its final name.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

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
  /// Reserves `bytes` on disk now, so that a full disk is found before the work starts.
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

/// A folder that is built as OUT.partial/ and renamed to OUT when whole. manifest.json inside holds
/// a version, the key (options and input identities) and the finished units. Opening again with the
/// same key resumes; with another key it is refused with the differing entries named.
class StageDir {
 public:
  static constexpr const char* kManifest = "octet-manifest.json";
  StageDir(std::filesystem::path out, const nlohmann::json& key);
  ~StageDir();
  StageDir(const StageDir&) = delete;
  StageDir& operator=(const StageDir&) = delete;
  /// True when OUT already stands whole with the same key: nothing is to be done.
  bool complete() const { return complete_; }
  /// Where to write: OUT.partial/ (or OUT when complete()).
  const std::filesystem::path& path() const { return path_; }
  bool has(const std::string& unit) const;
  /// Records `unit` as finished, durably.
  void finish(const std::string& unit);
  /// Kept in the manifest as "content": what commit() leaves, for later checks.
  void describe(const nlohmann::json& content);
  /// The "content" of the manifest in a finished folder; null when there is none.
  static nlohmann::json content(const std::filesystem::path& folder);
  /// Renames OUT.partial/ to OUT. The manifest stays as OUT/octet-manifest.json.
  void commit();
  /// Removes OUT.partial/, for stages whose result is a single file written elsewhere.
  void discard();

 private:
  void save() const;
  std::filesystem::path out_, path_;
  std::string key_, content_;
  std::vector<std::string> units_;
  bool complete_ = false;
};

/// {path, size, mtime_ns} of a file, or of a directory's files: cheap identity for resume keys.
nlohmann::json file_identity(const std::filesystem::path& path);

}  // namespace octet
