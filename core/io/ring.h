// A fixed number of reusable buffers, which bounds the memory of a stream.
#pragma once
#include <cstddef>
#include <memory>
#include <span>

namespace octet {

class BufferRing {
 public:
  using Buffer = std::shared_ptr<std::byte>;
  /// `count` buffers of `bytes` each, page-aligned, allocated when first used.
  BufferRing(int count, size_t bytes);
  size_t bytes() const;
  /// A free buffer, or null. It becomes free again when its last copy is destroyed.
  Buffer try_acquire();
  /// Waits for a free buffer.
  Buffer acquire();

 private:
  struct State;
  Buffer lend(std::byte* data);
  std::shared_ptr<State> state_;
};

}  // namespace octet
