// The one way to weights: tensors by name, their bytes by position. A fold is a source over a
// source, so that it serves conversion (quant/stream/stream_writer.h) and, through TensorWeights
// (models/weights/weight_sources.h), execution.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/containers/tensor_info.h"

namespace octet {

/// One tensor's bytes in C order. Several threads read at once.
class TensorReader {
 public:
  virtual ~TensorReader() = default;
  /// Fills `out` from byte `offset` on.
  virtual void read(uint64_t offset, std::span<std::byte> out) const = 0;
};

/// A tensor that is computed by whole rows.
class RowReader : public TensorReader {
 public:
  /// If `out` begins or ends within a row, that row is computed in a separate buffer.
  void read(uint64_t offset, std::span<std::byte> out) const final;

 protected:
  /// row_bytes: of one row (all but the outermost dimension).
  explicit RowReader(uint64_t row_bytes) : row_bytes_(row_bytes) {}
  uint64_t row_bytes() const { return row_bytes_; }

 private:
  /// Fills `out` with whole rows from row `first` on. `out` may have any alignment.
  virtual void read_rows(uint64_t first, std::span<std::byte> out) const = 0;
  uint64_t row_bytes_;
};

/// The tensors of a model, independent of how they are stored.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// In the order in which they are best read; dtypes are those that readers give.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return index_.contains(name); }
  const TensorInfo& info(const std::string& name) const;  ///< Error when absent
  /// Error when absent. The reader may outlive the source unless the source says otherwise.
  virtual std::shared_ptr<const TensorReader> open(const std::string& name) = 0;

 protected:
  void add(TensorInfo info);

 private:
  std::vector<TensorInfo> tensors_;
  std::map<std::string, size_t> index_;
};

/// Bytes of one row of a tensor: of all its dimensions but the outermost.
uint64_t row_bytes(const TensorInfo& info);

}  // namespace octet
