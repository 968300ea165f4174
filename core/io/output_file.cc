#include "core/io/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/error.h"
#include "core/io/system_error.h"

namespace octet {
namespace fs = std::filesystem;

OutputFile::OutputFile(fs::path path, uint64_t size) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) throw_system_error("create", path_, "check that the folder is writable");
  struct stat info {};
  resumed_ = ::fstat(fd_, &info) == 0 && static_cast<uint64_t>(info.st_size) == size;
  const auto length = static_cast<off_t>(size);
  const bool reserved = size == 0 || ::fallocate(fd_, 0, 0, length) == 0;
  if ((!reserved && errno != EOPNOTSUPP) || ::ftruncate(fd_, length) != 0) {
    const int code = errno;
    ::close(fd_);
    errno = code;
    throw_system_error(fmt::format("reserve {} bytes for", size), path_, "check the disk");
  }
}

OutputFile::~OutputFile() {
  ::close(fd_);
}

void OutputFile::write_at(uint64_t offset, std::span<const std::byte> data) const {
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t put =
        ::pwrite(fd_, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_system_error("write", path_, "check the disk and its permissions");
    done += static_cast<size_t>(put);
  }
  // A hint: without it a final flush would find everything still to do.
  ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(data.size()),
                    SYNC_FILE_RANGE_WRITE);
}

void OutputFile::sync() const {
  if (::fdatasync(fd_) != 0) throw_system_error("flush", path_, "check the disk");
}

void require_space(const fs::path& folder, uint64_t bytes) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) {
    throw_system_error("look at the disk of", folder, "check the folder");
  }
  const uint64_t free = uint64_t{info.f_bavail} * info.f_frsize;
  if (bytes <= free) return;
  throw Error(fmt::format("no space left for {}: {:.1f} MB free", folder.string(),
                          static_cast<double>(free) / 1e6),
              fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6),
              "free some space and run the same command again, or choose another --out");
}

uint64_t allocated_bytes(const fs::path& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_blocks) * 512 : 0;
}

}  // namespace octet
