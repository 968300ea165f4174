// Progress of a long job as lines in a file, appended durably.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace octet {

/// One line per finished piece of work. A line torn by a kill or a power failure is cut off when
/// the journal is opened. Error if another process has it open.
class Journal {
 public:
  explicit Journal(std::filesystem::path path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  /// Complete lines found when the journal was opened.
  const std::vector<std::string>& lines() const { return lines_; }
  /// Appends lines (without line ends) and returns when they are on disk.
  void append(const std::vector<std::string>& lines);
  /// Keeps the first `count` of the lines found at opening.
  void keep(size_t count);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::vector<std::string> lines_;
};

}  // namespace octet
