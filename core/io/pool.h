// Threads for I/O and hashing. Arithmetic runs on OpenMP's and torch's own teams.
#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace octet {

/// Runs tasks on a fixed number of threads. When a task throws, all tasks that have not started are
/// dropped with the resources they hold, and so are tasks submitted later.
class TaskPool {
 public:
  using Task = std::function<void()>;
  explicit TaskPool(int threads);
  ~TaskPool();  ///< drops tasks that have not started and waits for the others
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;
  void submit(Task task);
  /// Tasks submitted this way run one at a time, in this order.
  void submit_in_order(Task task);
  /// Rethrows the exception of the first task that failed.
  void check();
  /// Waits until nothing is left to do, then check().
  void drain();

 private:
  void work();
  bool take(Task& task, bool& ordered);
  void drop_all(std::unique_lock<std::mutex>& lock);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_, ordered_;
  std::exception_ptr failure_;
  bool ordered_running_ = false, stopping_ = false;
  int running_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace octet
