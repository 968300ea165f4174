#include "quant/qparams.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "models/torch_dtype.h"

namespace octet {
namespace {

Dtype weight_type(at::ScalarType dtype) {
  const Dtype type = container_dtype(dtype);
  if (is_compute_dtype(type)) return type;
  throw Error(fmt::format("weights of type {}", c10::toString(dtype)),
              "float16, bfloat16 or float32", "convert the checkpoint with octet convert");
}

}  // namespace

at::Tensor scales_of_ranges(const at::Tensor& ranges, Dtype element, Dtype scale_type) {
  // A weight of one column is its own range.
  const at::Tensor column = ranges.reshape({-1, 1});
  return quantize_weight(column, {element, 0, false, scale_type}).scale.reshape(ranges.sizes());
}

QuantizedWeight quantize_weight(const at::Tensor& weight, const WeightCoding& coding) {
  const at::Tensor w = weight.contiguous();
  const int64_t n = w.size(0), k = w.size(1);
  const int64_t groups = coding.group > 0 ? k / coding.group : 1;
  QuantizedWeight made{at::empty({n, k}, at::kChar), at::empty({n, groups}, at::kFloat)};
  const int64_t bad =
      cpu::quantize_weights(w.const_data_ptr(), weight_type(w.scalar_type()), n, k, coding,
                            made.q.data_ptr<int8_t>(), made.scale.data_ptr<float>());
  const at::ScalarType stored = torch_dtype(coding.scale_type);
  if (bad >= 0) {
    throw Error(
        fmt::format("{} at element {} of a weight", w.reshape({-1})[bad].item<double>(), bad),
        fmt::format("a finite weight with a scale in {}", c10::toString(stored)),
        "fetch or train the checkpoint again, or convert it to bfloat16");
  }
  made.scale = made.scale.to(stored);
  return made;
}

at::Tensor pack_qweight(const at::Tensor& q, Dtype element) {
  const int64_t n = q.size(0), k = q.size(1);
  at::Tensor packed = at::empty({n, (k * bits(element) + 31) / 32}, at::kInt);
  cpu::pack_qweight(q.contiguous().data_ptr<int8_t>(), n, k, element, packed.data_ptr<int32_t>());
  return packed;
}

at::Tensor unpack_qweight(const at::Tensor& packed, int64_t k, Dtype element,
                          const std::string& name) {
  const int width = bits(element);
  if (packed.scalar_type() != at::kInt || packed.dim() != 2 || k <= 0 ||
      packed.size(1) != (k * width + 31) / 32) {
    throw Error(fmt::format("{} does not hold {} columns of {}-bit codes", name, k, width),
                fmt::format("I32 [n, ceil(k * {} / 32)]", width), "write the directory again");
  }
  at::Tensor codes = at::empty({packed.size(0), k}, at::kChar);
  cpu::unpack_qweight(packed.contiguous().data_ptr<int32_t>(), codes.size(0), k, element,
                      codes.data_ptr<int8_t>());
  return codes;
}

}  // namespace octet
