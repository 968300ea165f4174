#include "core/io/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <utility>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/io/system_error.h"

namespace octet {

Journal::Journal(std::filesystem::path path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) throw_system_error("create", path_, "check that the folder is writable");
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd_);
    throw Error(fmt::format("{} in use by another process", path_.string()), "one at a time",
                "wait for it to end, or choose another --out");
  }
  const std::string text = read_file(path_);
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines_.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (begin != text.size()) keep(lines_.size());
}

Journal::~Journal() {
  ::close(fd_);
}

void Journal::append(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(fd_, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_system_error("write", path_, "check the disk and its permissions");
    done += static_cast<size_t>(put);
  }
  if (::fdatasync(fd_) != 0) throw_system_error("flush", path_, "check the disk");
}

void Journal::keep(size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += lines_[i].size() + 1;
  lines_.resize(count);
  if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
    throw_system_error("shorten", path_, "check the disk");
  }
}

}  // namespace octet
