// Memory that a thread keeps between calls, so that kernels do not fault in fresh pages each time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace octet::cpu {

/// Bytes on a cache line boundary; grows, never shrinks, forgets its contents when it grows.
class AlignedBuffer {
 public:
  void* reserve(std::size_t bytes) {
    if (bytes > size_) {
      data_.reset();
      size_ = 0;
      data_.reset(::operator new (bytes, std::align_val_t{64}));
      size_ = bytes;
    }
    return data_.get();
  }
  void* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(void* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<void, Free> data_;
  std::size_t size_ = 0;
};

/// At least `count` elements of the calling thread's buffer number `slot`: valid until the same
/// slot is asked for again on this thread. Slots keep a caller's and a callee's buffers apart.
void* thread_scratch_bytes(int slot, std::size_t bytes);
template <typename T>
T* thread_scratch(int slot, int64_t count) {
  return static_cast<T*>(thread_scratch_bytes(slot, static_cast<std::size_t>(count) * sizeof(T)));
}

inline constexpr int kGemmScratch = 0, kRowScratch = 1, kScratchSlots = 2;

/// Below this many elementary operations a call stays on the calling thread: a fork costs more.
inline constexpr int64_t kSerialWork = int64_t{1} << 16;

}  // namespace octet::cpu
