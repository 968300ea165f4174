#include "quant/qparams.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "kernels/cpu/weights/quantize_weights.h"

namespace octet {
namespace {

cpu::FloatType float_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kHalf:
      return cpu::FloatType::kF16;
    case at::kBFloat16:
      return cpu::FloatType::kBF16;
    case at::kFloat:
      return cpu::FloatType::kF32;
    default:
      throw Error(fmt::format("weights or scales of type {}", c10::toString(dtype)),
                  "float16, bfloat16 or float32", "convert the checkpoint with octet convert");
  }
}

}  // namespace

at::Tensor scales_of_ranges(const at::Tensor& ranges, at::ScalarType dtype) {
  // A weight of one column is its own range.
  const at::Tensor column = ranges.reshape({-1, 1});
  return quantize_weight(column, {}, dtype).scale.reshape(ranges.sizes());
}

QuantizedWeight quantize_weight(const at::Tensor& weight, const WeightCoding& coding,
                                at::ScalarType scale_dtype) {
  const at::Tensor w = weight.contiguous();
  const int64_t n = w.size(0), k = w.size(1);
  const int64_t groups = coding.group > 0 ? k / coding.group : 1;
  QuantizedWeight made{at::empty({n, k}, at::kChar), at::empty({n, groups}, at::kFloat)};
  const int64_t bad = cpu::quantize_weights(
      w.const_data_ptr(), float_type(w.scalar_type()), n, k,
      {coding.bits, coding.group, coding.clip_search, float_type(scale_dtype)},
      made.q.data_ptr<int8_t>(), made.scale.data_ptr<float>());
  if (bad >= 0) {
    throw Error(
        fmt::format("{} at element {} of a weight", w.reshape({-1})[bad].item<double>(), bad),
        fmt::format("a finite weight with a scale in {}", c10::toString(scale_dtype)),
        "fetch or train the checkpoint again, or convert it to bfloat16");
  }
  made.scale = made.scale.to(scale_dtype);
  return made;
}

at::Tensor pack_qweight(const at::Tensor& q, int bits) {
  const int64_t n = q.size(0), k = q.size(1);
  at::Tensor packed = at::empty({n, (k * bits + 31) / 32}, at::kInt);
  cpu::pack_qweight(q.contiguous().data_ptr<int8_t>(), n, k, bits, packed.data_ptr<int32_t>());
  return packed;
}

at::Tensor unpack_qweight(const at::Tensor& packed, int64_t k, int bits, const std::string& name) {
  if (packed.scalar_type() != at::kInt || packed.dim() != 2 || k <= 0 ||
      packed.size(1) != (k * bits + 31) / 32) {
    throw Error(fmt::format("{} does not hold {} columns of {}-bit codes", name, k, bits),
                fmt::format("I32 [n, ceil(k * {} / 32)]", bits), "write the directory again");
  }
  at::Tensor codes = at::empty({packed.size(0), k}, at::kChar);
  cpu::unpack_qweight(packed.contiguous().data_ptr<int32_t>(), codes.size(0), k, bits,
                      codes.data_ptr<int8_t>());
  return codes;
}

}  // namespace octet
