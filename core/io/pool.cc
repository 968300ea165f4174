#include "core/io/pool.h"

#include <utility>

namespace octet {

TaskPool::TaskPool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

TaskPool::~TaskPool() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  drop_all(lock);
  changed_.notify_all();
  lock.unlock();
  for (std::thread& thread : threads_) thread.join();
}

// What a task holds may lock other mutexes when it goes: it goes outside of ours.
void TaskPool::drop_all(std::unique_lock<std::mutex>& lock) {
  std::deque<Task> tasks = std::exchange(tasks_, {}), ordered = std::exchange(ordered_, {});
  lock.unlock();
  tasks.clear();
  ordered.clear();
  lock.lock();
}

void TaskPool::submit(Task task) {
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr || stopping_) return;
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

void TaskPool::submit_in_order(Task task) {
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr || stopping_) return;
  ordered_.push_back(std::move(task));
  changed_.notify_all();
}

bool TaskPool::take(Task& task, bool& ordered) {
  ordered = !ordered_running_ && !ordered_.empty();
  std::deque<Task>& queue = ordered ? ordered_ : tasks_;
  if (queue.empty()) return false;
  task = std::move(queue.front());
  queue.pop_front();
  ordered_running_ = ordered_running_ || ordered;
  ++running_;
  return true;
}

void TaskPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    Task task;
    bool ordered = false;
    changed_.wait(lock, [&] { return stopping_ || take(task, ordered); });
    if (!task) return;
    lock.unlock();
    std::exception_ptr failure;
    try {
      task();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure != nullptr && failure_ == nullptr) failure_ = failure;
    if (failure_ != nullptr) drop_all(lock);
    lock.unlock();
    task = nullptr;
    lock.lock();
    --running_;
    if (ordered) ordered_running_ = false;
    changed_.notify_all();
  }
}

void TaskPool::check() {
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr) std::rethrow_exception(failure_);
}

void TaskPool::drain() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return running_ == 0 && tasks_.empty() && ordered_.empty(); });
  }
  check();
}

}  // namespace octet
