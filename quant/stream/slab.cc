#include "quant/stream/slab.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace octet {
namespace {

constexpr uint64_t kAlign = 64;

uint64_t aligned(uint64_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

double value_at(const std::byte* data, Dtype type, int64_t element) {
  if (type == Dtype::kF32) return reinterpret_cast<const float*>(data)[element];
  const uint16_t bits = reinterpret_cast<const uint16_t*>(data)[element];
  return type == Dtype::kF16 ? half_to_float(bits) : bfloat16_to_float(bits);
}

}  // namespace

SlabCutter::SlabCutter(const StreamItem& item, const TensorInfo& source, size_t buffer_bytes)
    : item_(item), source_(source) {
  if (copies()) {
    rows_ = static_cast<int64_t>(byte_count(source));
    k_ = 1;
    slab_rows_ = static_cast<int64_t>(buffer_bytes / kAlign * kAlign);
    return;
  }
  rows_ = source.shape[0];
  k_ = source.shape[1];
  groups_ = item.codes.group > 0 ? k_ / item.codes.group : 1;
  const bool packs = item.action == StreamItem::Action::kPacked;
  words_ = packs ? (k_ * bits(item.codes.element) + 31) / 32 : 0;
  row_bytes_ = k_ * byte_size(source.dtype);
  const uint64_t scale_bytes = groups_ * byte_size(item.codes.scale_type);
  const uint64_t each = row_bytes_ + k_ + words_ * 4 + groups_ * sizeof(float) + scale_bytes;
  slab_rows_ = static_cast<int64_t>((buffer_bytes - 5 * kAlign) / std::max<uint64_t>(each, 1));
  if (slab_rows_ < 1) {
    throw Error(fmt::format("rows of {} bytes in tensor {}", row_bytes_, source.name),
                fmt::format("rows that fit into buffers of {} bytes", buffer_bytes),
                "raise --max-memory");
  }
  slab_rows_ = std::min(slab_rows_, std::max<int64_t>(rows_, 1));
  codes_ = aligned(slab_rows_ * row_bytes_);
  packed_ = aligned(codes_ + slab_rows_ * k_);
  scales_ = aligned(packed_ + slab_rows_ * words_ * 4);
  stored_ = aligned(scales_ + slab_rows_ * groups_ * sizeof(float));
}

int64_t SlabCutter::rows_of(int64_t slab) const {
  return std::min(slab_rows_, rows_ - slab * slab_rows_);
}

std::span<std::byte> SlabCutter::input(int64_t slab, std::byte* buffer) const {
  return {buffer, static_cast<size_t>(rows_of(slab)) * row_bytes_};
}

std::vector<Piece> SlabCutter::convert(int64_t slab, std::byte* buffer) const {
  if (copies()) return copy(slab, buffer);
  const Dtype type = source_.dtype;
  const int64_t rows = rows_of(slab), first = slab * slab_rows_;
  auto* codes = reinterpret_cast<int8_t*>(buffer + codes_);
  auto* scales = reinterpret_cast<float*>(buffer + scales_);
  const int64_t bad = cpu::quantize_weights(buffer, type, rows, k_, item_.codes, codes, scales);
  if (bad >= 0) damaged(first * k_ + bad, value_at(buffer, type, bad));
  cpu::store_scales(scales, rows * groups_, item_.codes.scale_type, buffer + stored_);
  uint64_t begin = codes_, row = static_cast<uint64_t>(k_);
  if (item_.action == StreamItem::Action::kPacked) {
    cpu::pack_qweight(codes, rows, k_, item_.codes.element,
                      reinterpret_cast<int32_t*>(buffer + packed_));
    begin = packed_;
    row = static_cast<uint64_t>(words_) * 4;
  }
  const uint64_t scale_row = groups_ * byte_size(item_.codes.scale_type);
  return {{0, first * row, {buffer + begin, rows * row}},
          {1, first * scale_row, {buffer + stored_, rows * scale_row}}};
}

std::vector<Piece> SlabCutter::copy(int64_t slab, std::byte* buffer) const {
  const std::span<const std::byte> bytes = input(slab, buffer);
  const Dtype type = source_.dtype;
  if (is_compute_dtype(type)) {
    const auto count = static_cast<int64_t>(bytes.size() / byte_size(type));
    const int64_t bad = cpu::find_nonfinite(buffer, type, count);
    if (bad >= 0) {
      damaged(static_cast<int64_t>(offset(slab) / byte_size(type)) + bad,
              value_at(buffer, type, bad));
    }
  }
  return {{0, offset(slab), bytes}};
}

void SlabCutter::damaged(int64_t element, double value) const {
  throw Error(fmt::format("{} at element {} of tensor {}", value, element, source_.name),
              "finite weights that a scale can express",
              "the checkpoint is damaged: fetch or train it again");
}

}  // namespace octet
