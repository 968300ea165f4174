#include "core/io/ring.h"

#include <condition_variable>
#include <mutex>
#include <new>
#include <vector>

namespace octet {
namespace {

constexpr std::align_val_t kPage{4096};
struct Free {
  void operator()(std::byte* data) const { ::operator delete(data, kPage); }
};
using Block = std::unique_ptr<std::byte, Free>;

}  // namespace

// Shared with the buffers that are out, which may outlive the ring.
struct BufferRing::State {
  size_t bytes;
  int unmade;
  std::vector<Block> free;
  std::mutex mutex;
  std::condition_variable freed;

  bool available() const { return unmade > 0 || !free.empty(); }
  std::byte* take() {
    if (free.empty()) {
      --unmade;
      return static_cast<std::byte*>(::operator new(bytes, kPage));
    }
    std::byte* data = free.back().release();
    free.pop_back();
    return data;
  }
};

BufferRing::BufferRing(int count, size_t bytes) : state_(std::make_shared<State>()) {
  state_->bytes = bytes;
  state_->unmade = count;
}

size_t BufferRing::bytes() const {
  return state_->bytes;
}

BufferRing::Buffer BufferRing::lend(std::byte* data) {
  return {data, [state = state_](std::byte* back) {
            const std::lock_guard lock(state->mutex);
            state->free.emplace_back(back);
            state->freed.notify_one();
          }};
}

BufferRing::Buffer BufferRing::try_acquire() {
  const std::lock_guard lock(state_->mutex);
  return state_->available() ? lend(state_->take()) : nullptr;
}

BufferRing::Buffer BufferRing::acquire() {
  std::unique_lock lock(state_->mutex);
  state_->freed.wait(lock, [this] { return state_->available(); });
  return lend(state_->take());
}

}  // namespace octet
