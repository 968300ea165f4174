// Images changed at random in ways that keep their class, so that training sees each of them
// differently every epoch.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace octet {

struct Augmentation {
  bool crop = false;   ///< moved by up to a twelfth of the side each way; edges are continued
  bool flip = false;   ///< left and right exchanged, half of the images
  bool erase = false;  ///< a random rectangle of 2 to 33 % becomes 0, a quarter of the images
  bool any() const { return crop || flip || erase; }
};

/// "crop,flip,erase" in any order, each at most once, or "none". UsageError for anything else.
Augmentation parse_augmentation(const std::string& text);

/// A changed copy of pixels, float32 [B, C, H, W] on the CPU. first: place of row 0 in the stream
/// of all that is trained on. What happens to row r depends on seed and first + r alone, so n
/// batches of b images are one of n * b.
at::Tensor augment(const at::Tensor& pixels, const Augmentation& how, uint64_t seed,
                   uint64_t first);

}  // namespace octet
