#include "models/weights/tensor_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace octet {

void RowReader::read(uint64_t offset, std::span<std::byte> out) const {
  std::vector<std::byte> aside;
  while (!out.empty()) {
    const uint64_t row = offset / row_bytes_, skip = offset % row_bytes_;
    uint64_t count = out.size() / row_bytes_ * row_bytes_;
    if (skip == 0 && count > 0) {
      read_rows(row, out.first(count));
    } else {
      aside.resize(row_bytes_);
      read_rows(row, aside);
      count = std::min<uint64_t>(row_bytes_ - skip, out.size());
      std::memcpy(out.data(), aside.data() + skip, count);
    }
    offset += count;
    out = out.subspan(count);
  }
}

const TensorInfo& TensorSource::info(const std::string& name) const {
  const auto found = index_.find(name);
  if (found != index_.end()) return tensors_[found->second];
  throw Error(fmt::format("no tensor {} in the checkpoint", name),
              "all tensors that config.json implies",
              "use the config.json that belongs to these weights");
}

void TensorSource::add(TensorInfo info) {
  index_[info.name] = tensors_.size();
  tensors_.push_back(std::move(info));
}

uint64_t row_bytes(const TensorInfo& info) {
  const uint64_t rows = info.shape.empty() ? 1 : static_cast<uint64_t>(info.shape.front());
  return rows == 0 ? 0 : byte_count(info) / rows;
}

}  // namespace octet
