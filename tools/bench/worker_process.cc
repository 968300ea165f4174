#include "tools/bench/worker_process.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/error.h"

namespace octet {

WorkerProcess::WorkerProcess(const std::vector<std::string>& arguments)
    : what_(fmt::format("octet {}", fmt::join(arguments, " "))) {
  int to_child[2], from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) {
    throw Error(fmt::format("\"{}\" while starting {}", std::strerror(errno), what_), "two pipes",
                "close other programs and try again");
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> words = {"octet"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(to_child[0], STDIN_FILENO);
    ::dup2(from_child[1], STDOUT_FILENO);
    ::execv("/proc/self/exe", argv.data());
    ::_exit(127);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  in_ = to_child[1];
  out_ = from_child[0];
  if (pid_ < 0) {
    throw Error(fmt::format("\"{}\" while starting {}", std::strerror(errno), what_),
                "a new process", "close other programs and try again");
  }
}

WorkerProcess::~WorkerProcess() {
  if (in_ >= 0) ::close(in_);
  if (out_ >= 0) ::close(out_);
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

void WorkerProcess::send(const std::string& line) {
  const std::string text = line + "\n";
  // A child that ended is reported by receive(), with what it was doing.
  if (::write(in_, text.data(), text.size()) < 0 && errno != EPIPE) {
    throw Error(fmt::format("\"{}\" while talking to {}", std::strerror(errno), what_),
                "a running child", "run the command again");
  }
}

std::string WorkerProcess::receive() {
  while (true) {
    const size_t end = buffered_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return line;
    }
    char chunk[4096];
    const ssize_t got = ::read(out_, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw Error(fmt::format("{} ended early", what_), "an answer from it",
                  "see its message above; too little memory is the usual reason");
    }
    buffered_.append(chunk, static_cast<size_t>(got));
  }
}

}  // namespace octet
