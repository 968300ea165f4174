#include "quant/qparams.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

#include "core/containers/dtype.h"
#include "core/error.h"

namespace octet {
namespace {

constexpr float kLevels = 127.0F;

struct ScaleFormat {
  float smallest_normal;
  float (*round)(float);
  float (*next_up)(float);
};

ScaleFormat scale_format(at::ScalarType dtype) {
  switch (dtype) {
    case at::kHalf:
      return {0x1p-14F, [](float v) { return half_to_float(float_to_half(v)); },
              [](float v) { return half_to_float(static_cast<uint16_t>(float_to_half(v) + 1)); }};
    case at::kBFloat16:
      return {0x1p-126F, [](float v) { return bfloat16_to_float(float_to_bfloat16(v)); },
              [](float v) {
                return bfloat16_to_float(static_cast<uint16_t>(float_to_bfloat16(v) + 1));
              }};
    case at::kFloat:
      return {0x1p-126F, [](float v) { return v; },
              [](float v) { return std::nextafter(v, std::numeric_limits<float>::infinity()); }};
    default:
      throw Error(fmt::format("scales of type {}", c10::toString(dtype)),
                  "float16, bfloat16 or float32", "this is a defect in octet: please report it");
  }
}

float stored_scale(float range, const ScaleFormat& format) {
  float scale = format.round(range / kLevels);
  if (scale == 0.0F) return 1.0F;
  if (scale < format.smallest_normal && range / scale > 127.5F) scale = format.next_up(scale);
  return scale;
}

}  // namespace

at::Tensor scales_of_ranges(const at::Tensor& ranges, at::ScalarType dtype) {
  const ScaleFormat format = scale_format(dtype);
  at::Tensor scales = ranges.to(at::kFloat).contiguous().clone();
  auto* data = scales.data_ptr<float>();
  for (int64_t i = 0; i < scales.numel(); ++i) data[i] = stored_scale(data[i], format);
  return scales.to(dtype);
}

QuantizedWeight quantize_per_channel(const at::Tensor& weight, at::ScalarType scale_dtype) {
  const at::Tensor wide = weight.to(at::kFloat);
  const at::Tensor range =
      wide.numel() > 0 ? wide.abs().amax({1}, true) : at::zeros({wide.size(0), 1});
  const at::Tensor scale = scales_of_ranges(range, scale_dtype);
  // at::round rounds half to even; ranges too small for a scale give scale 1 and codes of 0.
  const at::Tensor q =
      at::round(wide / scale.to(at::kFloat)).clamp_(-kLevels, kLevels).to(at::kChar);
  return {q, scale};
}

at::Tensor pack_int8(const at::Tensor& q) {
  const int64_t n = q.size(0), k = q.size(1), words = (k + 3) / 4;
  at::Tensor bytes = at::zeros({n, words * 4}, at::kByte);
  bytes.narrow(1, 0, k).copy_((q.to(at::kShort) + 128).to(at::kByte));
  return bytes.view(at::kInt);
}

at::Tensor unpack_int8(const at::Tensor& packed, int64_t k, const std::string& name) {
  if (packed.scalar_type() != at::kInt || packed.dim() != 2 || k <= 0 ||
      packed.size(1) != (k + 3) / 4) {
    throw Error(fmt::format("{} does not hold {} columns of 8-bit codes", name, k),
                "I32 [n, ceil(k/4)]", "write the directory again");
  }
  const at::Tensor bytes = packed.contiguous().view(at::kByte).narrow(1, 0, k);
  return (bytes.to(at::kShort) - 128).to(at::kChar).contiguous();
}

}  // namespace octet
