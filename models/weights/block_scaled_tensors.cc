#include "models/weights/block_scaled_tensors.h"

#include <cstring>

#include "kernels/cpu/weights/block_scales.h"

namespace octet {
namespace {

// Codes are widened where they are read: to the writer they are floats in a file.
class BlockScaledReader : public RowReader {
 public:
  BlockScaledReader(std::shared_ptr<const TensorReader> codes, std::vector<float> factors,
                    const TensorInfo& info)
      : RowReader(octet::row_bytes(info)),
        codes_(std::move(codes)),
        factors_(std::move(factors)),
        k_(info.shape[1]),
        half_(info.dtype == Dtype::kBF16) {}

 private:
  void read_rows(uint64_t first, std::span<std::byte> out) const override {
    const uint64_t rows = out.size() / row_bytes();
    std::vector<uint8_t> codes(rows * k_);
    codes_->read(first * k_, std::as_writable_bytes(std::span(codes)));
    std::vector<float> wide(k_);
    for (uint64_t row = 0; row < rows; ++row) {
      cpu::widen_e4m3(codes.data() + row * k_, factors_.data(), static_cast<int64_t>(first + row),
                      1, static_cast<int64_t>(k_), wide.data());
      if (half_) narrow(wide);
      std::memcpy(out.data() + row * row_bytes(), wide.data(), row_bytes());
    }
  }

  // In place: a value's new place never lies behind its old one.
  static void narrow(std::vector<float>& wide) {
    auto* halves = reinterpret_cast<std::byte*>(wide.data());
    for (size_t i = 0; i < wide.size(); ++i) {
      const uint16_t half = float_to_bfloat16(wide[i]);
      std::memcpy(halves + i * sizeof half, &half, sizeof half);
    }
  }

  std::shared_ptr<const TensorReader> codes_;
  std::vector<float> factors_;
  uint64_t k_;
  bool half_;
};

}  // namespace

BlockScaledTensors::BlockScaledTensors(std::shared_ptr<TensorSource> stored,
                                       const std::map<std::string, std::string>& block_scales,
                                       const std::set<std::string>& kept)
    : stored_(std::move(stored)), block_scales_(block_scales) {
  std::set<std::string> factors;
  for (const auto& [weight, scale] : block_scales) factors.insert(scale);
  for (TensorInfo info : stored_->tensors()) {
    if (factors.contains(info.name)) continue;
    if (block_scales.contains(info.name)) {
      info.dtype = kept.contains(info.name) ? Dtype::kBF16 : Dtype::kF32;
    }
    add(std::move(info));
  }
}

std::shared_ptr<const TensorReader> BlockScaledTensors::open(const std::string& name) {
  const auto scale = block_scales_.find(name);
  if (scale == block_scales_.end()) return stored_->open(name);
  std::vector<float> factors(byte_count(stored_->info(scale->second)) / sizeof(float));
  stored_->open(scale->second)->read(0, std::as_writable_bytes(std::span(factors)));
  return std::make_shared<BlockScaledReader>(stored_->open(name), std::move(factors), info(name));
}

}  // namespace octet
