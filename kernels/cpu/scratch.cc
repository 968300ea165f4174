#include "kernels/cpu/scratch.h"

namespace octet::cpu {

void* thread_scratch_bytes(int slot, std::size_t bytes) {
  static thread_local AlignedBuffer buffers[kScratchSlots];
  return buffers[slot].reserve(bytes);
}

}  // namespace octet::cpu
