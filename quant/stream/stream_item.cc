#include "quant/stream/stream_item.h"

#include <fmt/format.h>

#include "core/error.h"

namespace octet {
namespace {

void check_encodable(const StreamItem& item, const TensorInfo& source) {
  cpu::FloatType type;
  if (source.shape.size() != 2 || !float_type(source.dtype, type)) {
    throw Error(fmt::format("tensor {} of type {} and rank {} to quantize", source.name,
                            name(source.dtype), source.shape.size()),
                "a matrix of F16, BF16 or F32", "quantize from the float checkpoint");
  }
  const int64_t k = source.shape[1], group = item.codes.group;
  if (group > 0 && k % group != 0) {
    throw Error(fmt::format("groups of {} in the {} columns of {}", group, k, source.name),
                "groups that divide the columns", "choose another group size or keep this layer");
  }
}

}  // namespace

bool float_type(Dtype dtype, cpu::FloatType& type) {
  switch (dtype) {
    case Dtype::kF16:
      type = cpu::FloatType::kF16;
      return true;
    case Dtype::kBF16:
      type = cpu::FloatType::kBF16;
      return true;
    case Dtype::kF32:
      type = cpu::FloatType::kF32;
      return true;
    default:
      return false;
  }
}

Dtype container_dtype(cpu::FloatType type) {
  if (type == cpu::FloatType::kF32) return Dtype::kF32;
  return type == cpu::FloatType::kF16 ? Dtype::kF16 : Dtype::kBF16;
}

std::vector<TensorInfo> item_tensors(const StreamItem& item, const TensorInfo& source) {
  std::vector<TensorInfo> tensors;
  if (item.action == StreamItem::Action::kCopy) {
    tensors.push_back({item.target, source.dtype, source.shape});
  } else {
    check_encodable(item, source);
    const int64_t n = source.shape[0], k = source.shape[1];
    if (item.action == StreamItem::Action::kCodes) {
      tensors.push_back({item.target + ".weight", Dtype::kI8, {n, k}});
    } else {
      const int64_t words = (k * item.codes.bits + 31) / 32;
      tensors.push_back({item.target + ".weight_packed", Dtype::kI32, {n, words}});
    }
    tensors.push_back({item.target + ".weight_scale",
                       container_dtype(item.codes.scale_type),
                       {n, item.codes.group > 0 ? k / item.codes.group : 1}});
  }
  for (const ConstantTensor& constant : item.constants) tensors.push_back(constant.info);
  return tensors;
}

}  // namespace octet
