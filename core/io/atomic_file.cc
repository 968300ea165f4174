#include "core/io/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <cerrno>

#include "core/error.h"
#include "core/io/system_error.h"

namespace octet {
namespace fs = std::filesystem;
void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw_system_error("open", folder, "check the folder and its permissions");
  ::fsync(fd);
  ::close(fd);
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  temporary_ = path_;
  temporary_ += fmt::format("{}{}", kTemporaryMark, ::getpid());
  fd_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0)
    throw_system_error("create", temporary_, "check that the folder exists and is writable");
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> data) {
  write_at(end_, data);
}

void AtomicFile::write(const std::string& text) {
  write(std::as_bytes(std::span(text)));
}

void AtomicFile::write_at(uint64_t offset, std::span<const std::byte> data) {
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t put =
        ::pwrite(fd_, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_system_error("write", path_, "check the disk and its permissions");
    done += static_cast<size_t>(put);
  }
  end_ = std::max<uint64_t>(end_, offset + data.size());
}

void AtomicFile::reserve(uint64_t bytes) {
  if (bytes == 0) return;
  errno = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  if (errno != 0 && errno != EINVAL && errno != EOPNOTSUPP) {
    throw_system_error(fmt::format("reserve {} bytes for", bytes), path_, "check the disk");
  }
}

void AtomicFile::commit(bool durable) {
  if (durable && ::fsync(fd_) != 0) throw_system_error("flush", path_, "check the disk");
  ::close(std::exchange(fd_, -1));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    ::unlink(temporary_.c_str());
    errno = code;
    throw_system_error("rename into place", path_, "check the folder's permissions");
  }
  if (durable) sync_folder(path_.parent_path());
}

void write_file(const fs::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace octet
