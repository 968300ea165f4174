// A child process that talks in lines.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace octet {

class WorkerProcess {
 public:
  /// Starts this very program with `arguments`; stderr is shared.
  explicit WorkerProcess(const std::vector<std::string>& arguments);
  ~WorkerProcess();  ///< closes the child's input and waits for it
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  void send(const std::string& line);
  /// The next line; Error when the child ended instead.
  std::string receive();

 private:
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
  std::string buffered_, what_;
};

}  // namespace octet
