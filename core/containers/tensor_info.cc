#include "core/containers/tensor_info.h"

#include <fmt/ranges.h>

#include "core/error.h"

namespace octet {
namespace {

std::string shape_text(const TensorInfo& info) {
  return fmt::format("[{}]", fmt::join(info.shape, ", "));
}

}  // namespace

std::optional<Dtype> dtype_from_name(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Dtype::kU64); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    if (octet::name(dtype) == name) return dtype;
  }
  return std::nullopt;
}

int64_t element_count(const TensorInfo& info) {
  int64_t count = 1;
  for (const int64_t dimension : info.shape) {
    if (dimension < 0 || __builtin_mul_overflow(count, dimension, &count)) {
      throw Error(fmt::format("shape {} of {}", shape_text(info), info.name),
                  "non-negative dimensions whose product fits 63 bits", "check the file");
    }
  }
  return count;
}

uint64_t byte_count(const TensorInfo& info) {
  const auto count = static_cast<uint64_t>(element_count(info));
  uint64_t total = 0;
  if (__builtin_mul_overflow(count, static_cast<uint64_t>(bits(info.dtype)), &total)) {
    throw Error(fmt::format("shape {} of {} {}", shape_text(info), name(info.dtype), info.name),
                "a size that fits 64 bits", "check the file");
  }
  if (total % 8 != 0) {
    throw Error(fmt::format("{} bits in {} {}", total, name(info.dtype), info.name), "whole bytes",
                "check the shape");
  }
  return total / 8;
}

}  // namespace octet
