#include "core/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/context.h"
#include "core/error.h"

namespace octet {

struct Log::Impl {
  spdlog::logger logger{"octet", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  bool terminal = isatty(STDERR_FILENO) == 1;
  bool line_open = false;  // a progress line stands on the terminal
  void clear_line() {
    if (line_open) std::fputs("\r\033[K", stderr);
    line_open = false;
  }
};

Log::Log(bool quiet) : impl_(std::make_unique<Impl>()) {
  impl_->logger.set_pattern("%v");
  impl_->logger.set_level(quiet ? spdlog::level::warn : spdlog::level::info);
}
Log::~Log() = default;

void Log::info(const std::string& line) {
  impl_->clear_line();
  impl_->logger.info(line);
}
void Log::warn(const std::string& line) {
  impl_->clear_line();
  impl_->logger.warn("warning: {}", line);
}
void Log::error(const std::string& line) {
  impl_->clear_line();
  impl_->logger.error("error: {}", line);
}

Progress::Progress(Log& log, std::string what, int64_t total)
    : log_(log), what_(std::move(what)), total_(std::max<int64_t>(total, 1)) {
  start_ = drawn_ = std::chrono::steady_clock::now();
}
Progress::~Progress() {
  log_.impl_->clear_line();
}

void Progress::advance(int64_t units, bool resumed) {
  done_ += units;
  if (resumed) resumed_ += units;
  if (!log_.impl_->terminal) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < std::chrono::milliseconds(100) && done_ < total_) return;
  drawn_ = now;
  draw(done_ >= total_);
}

void Progress::draw(bool final) {
  const double fraction = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const double seconds = std::chrono::duration<double>(drawn_ - start_).count();
  const auto fresh = static_cast<double>(done_ - resumed_);
  std::string left = "--:--";
  if (fresh > 0) {
    const auto s = std::llround(seconds / fresh * static_cast<double>(total_ - done_));
    left = s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                     : fmt::format("{:02}:{:02}", s / 60, s % 60);
  }
  const int filled = static_cast<int>(fraction * 30);
  std::fputs(fmt::format("\r\033[K{} [{:#<{}}{:.<{}}] {:3.0f}% {}/{} left {}", what_, "", filled,
                         "", 30 - filled, fraction * 100, done_, total_, left)
                 .c_str(),
             stderr);
  std::fflush(stderr);
  log_.impl_->line_open = !final;
  if (final) std::fputs("\r\033[K", stderr);
}

void StopToken::check(const std::string& how_to_resume) const {
  if (requested()) throw Interrupted(how_to_resume);
}

}  // namespace octet
