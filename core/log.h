// Messages and the one progress line on stderr. stdout belongs to results.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace octet {

class Log {
 public:
  /// `quiet` drops info lines; warnings and errors always appear.
  explicit Log(bool quiet = false);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  void info(const std::string& line);
  void warn(const std::string& line);
  void error(const std::string& line);

 private:
  friend class Progress;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A progress bar with time left; prints nothing when stderr is not a terminal. One alive at a time
/// per Log.
class Progress {
 public:
  /// total: number of units of work (> 0); what: a few words, e.g. "calibrate".
  Progress(Log& log, std::string what, int64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Counts units as done. `resumed` units do not count towards the speed.
  void advance(int64_t units = 1, bool resumed = false);

 private:
  void draw(bool final);
  Log& log_;
  std::string what_;
  int64_t total_, done_ = 0, resumed_ = 0;
  std::chrono::steady_clock::time_point start_, drawn_;
};

}  // namespace octet
