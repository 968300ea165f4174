// A slab of a tensor in one buffer: the values read, and the codes and scales computed from them.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "quant/stream/stream_item.h"

namespace octet {

/// Part of one of the tensors that an item writes.
struct Piece {
  size_t tensor;    ///< index in item_tensors()
  uint64_t offset;  ///< in that tensor
  std::span<const std::byte> bytes;
};

/// How an item is cut into slabs of whole rows, and where their parts lie in a buffer. Refers to
/// `item` and `source`.
class SlabCutter {
 public:
  /// Error when not even one row fits into `buffer_bytes`.
  SlabCutter(const StreamItem& item, const TensorInfo& source, size_t buffer_bytes);
  int64_t slabs() const { return (rows_ + slab_rows_ - 1) / slab_rows_; }
  size_t pieces() const { return copies() ? 1 : 2; }  ///< of each slab
  /// Where a slab begins in the source tensor.
  uint64_t offset(int64_t slab) const { return slab * slab_rows_ * row_bytes_; }
  /// The part of `buffer` that is to be filled from there.
  std::span<std::byte> input(int64_t slab, std::byte* buffer) const;
  /// What is to be written, also in `buffer`. Error naming tensor and element for NaN or Inf.
  std::vector<Piece> convert(int64_t slab, std::byte* buffer) const;

 private:
  bool copies() const { return item_.action == StreamItem::Action::kCopy; }
  int64_t rows_of(int64_t slab) const;
  std::vector<Piece> copy(int64_t slab, std::byte* buffer) const;
  [[noreturn]] void damaged(int64_t element, double value) const;
  const StreamItem& item_;
  const TensorInfo& source_;
  int64_t rows_, k_, groups_ = 0, words_ = 0;  ///< of a copy, a row is one byte
  uint64_t row_bytes_ = 1;
  int64_t slab_rows_;
  uint64_t codes_ = 0, packed_ = 0, scales_ = 0, stored_ = 0;  ///< places in a buffer
};

}  // namespace octet
