#include "quant/stream/stream_item.h"

#include <fmt/format.h>

#include "core/error.h"

namespace octet {
namespace {

void check_encodable(const StreamItem& item, const TensorInfo& source) {
  if (source.shape.size() != 2 || !is_compute_dtype(source.dtype)) {
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

std::vector<TensorInfo> item_tensors(const StreamItem& item, const TensorInfo& source) {
  std::vector<TensorInfo> tensors;
  if (item.action == StreamItem::Action::kCopy) {
    tensors.push_back({item.target, source.dtype, source.shape});
  } else {
    check_encodable(item, source);
    const int64_t n = source.shape[0], k = source.shape[1];
    if (item.action == StreamItem::Action::kCodes) {
      tensors.push_back({item.target + ".weight", item.codes.element, {n, k}});
    } else {
      const int64_t words = (k * bits(item.codes.element) + 31) / 32;
      tensors.push_back({item.target + ".weight_packed", Dtype::kI32, {n, words}});
    }
    tensors.push_back({item.target + ".weight_scale",
                       item.codes.scale_type,
                       {n, item.codes.group > 0 ? k / item.codes.group : 1}});
  }
  for (const ConstantTensor& constant : item.constants) tensors.push_back(constant.info);
  return tensors;
}

}  // namespace octet
