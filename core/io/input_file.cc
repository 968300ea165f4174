#include "core/io/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>

#include "core/error.h"
#include "core/io/system_error.h"

namespace octet {
namespace fs = std::filesystem;
InputFile::InputFile(const fs::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) throw_system_error("open", path, "check the path and its permissions");
  struct stat info {};
  if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd_);
    throw Error(fmt::format("{} is not a regular file", path.string()), "a regular file",
                "check the path");
  }
  size_ = static_cast<uint64_t>(info.st_size);
}

InputFile::~InputFile() {
  if (fd_ >= 0) ::close(fd_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

void InputFile::read_at(uint64_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error("read", path_, "check the disk");
    if (got == 0) {
      throw Error(fmt::format("{} ends at byte {}", path_.string(), offset + done),
                  fmt::format("{} bytes from {}", out.size(), offset),
                  "the file is truncated: copy or download it again");
    }
    done += static_cast<size_t>(got);
  }
}

void InputFile::forget(uint64_t offset, uint64_t size) const noexcept {
  ::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
}

std::string read_file(const fs::path& path, uint64_t limit) {
  const InputFile file(path);
  if (file.size() > limit) {
    throw Error(fmt::format("{} of {} bytes", path.string(), file.size()),
                fmt::format("at most {} bytes", limit), "check that this is the right file");
  }
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace octet
