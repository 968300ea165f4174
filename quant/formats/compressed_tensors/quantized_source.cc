#include "quant/formats/compressed_tensors/quantized_source.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/source_model.h"
#include "models/weights/checkpoint_tensors.h"
#include "models/weights/weight_sources.h"
#include "quant/qparams.h"

namespace octet {
namespace {

using nlohmann::json;

const json& quantization_config(const SourceModel& model) {
  const json& config = model.config_json();
  if (config.is_object() && config.contains("quantization_config") &&
      config["quantization_config"].is_object()) {
    return config["quantization_config"];
  }
  throw Error(fmt::format("no quantization_config in {}", model.config_name()),
              "a quantized directory", "quantize the model first");
}

// The module of "<module>.weight", or empty.
std::string module_of(const std::string& name) {
  constexpr std::string_view kWeight = ".weight";
  return name.ends_with(kWeight) ? name.substr(0, name.size() - kWeight.size()) : "";
}

}  // namespace

QuantizedSource::QuantizedSource(const SourceModel& model)
    : source_(std::make_shared<CheckpointTensors>(model.checkpoint())),
      config_(quantization_config(model), model.path().string()) {}

bool QuantizedSource::stored_quantized(const std::string& module) const {
  return source_->has(module + ".weight_scale");
}

Scheme QuantizedSource::scheme_of(const std::string& module) const {
  const CompressedTensorsConfig::Group* group = config_.group_of(module);
  if ((group != nullptr) != stored_quantized(module)) {
    throw Error(fmt::format("{} {}.weight_scale, and a config.json by which it is {}",
                            group != nullptr ? "no tensor" : "a tensor", module,
                            group != nullptr ? "quantized" : "kept"),
                "targets and ignore that tell what the tensors are",
                "use the config.json that belongs to these weights");
  }
  return group != nullptr ? group->scheme : Scheme();
}

bool QuantizedSource::has(const std::string& name) const {
  const std::string module = module_of(name);
  return source_->has(name) || (!module.empty() && source_->has(module + ".weight_packed"));
}

at::Tensor QuantizedSource::codes(const std::string& module, Dtype element) const {
  if (source_->has(module + ".weight_packed")) {
    const at::Tensor shape = read_tensor(*source_, module + ".weight_shape").to(at::kLong);
    return unpack_qweight(read_tensor(*source_, module + ".weight_packed"),
                          shape.numel() == 2 ? shape.reshape({-1})[1].item<int64_t>() : 0, element,
                          module + ".weight_packed");
  }
  const at::Tensor q = read_tensor(*source_, module + ".weight");
  const bool fits = q.scalar_type() == at::kChar && q.dim() == 2 && q.numel() > 0;
  const int width = bits(element), limit = 1 << (width - 1);
  if (!fits || q.min().item<int>() < -limit || q.max().item<int>() >= limit) {
    throw Error(
        fmt::format("tensor {}.weight of type {} with shape [{}] or codes beyond {} bits", module,
                    c10::toString(q.scalar_type()), fmt::join(q.sizes(), ", "), width),
        fmt::format("I8 [n, k] with codes of {} bits", width), "quantize the model again");
  }
  return q;
}

at::Tensor QuantizedSource::positive(const std::string& name) const {
  const at::Tensor value = read_tensor(*source_, name).to(at::kFloat);
  if (!value.gt(0).all().item<bool>() || !value.isfinite().all().item<bool>()) {
    throw Error(fmt::format("a scale that is not positive in {}", name), "positive finite scales",
                "quantize the model again");
  }
  return value;
}

at::Tensor QuantizedSource::weight_scale(const std::string& module,
                                         const CompressedTensorsConfig::Group& group,
                                         const at::Tensor& q) const {
  const at::Tensor scale = positive(module + ".weight_scale");
  const int64_t n = q.size(0), k = q.size(1);
  if (group.per_tensor && scale.numel() == 1) return scale.reshape({1, 1}).expand({n, 1});
  const int64_t size = group.scheme.weight.group > 0 ? group.scheme.weight.group : k;
  if (group.per_tensor || k % size != 0 || scale.numel() != n * (k / size)) {
    throw Error(fmt::format("{} scales for codes [{}, {}] of {} in {}", scale.numel(), n, k, module,
                            group.scheme.name),
                "as many scales as rows, groups or tensors", "quantize the model again");
  }
  return scale.reshape({n, k / size});
}

Weight QuantizedSource::get(const std::string& name) {
  Weight weight;
  const std::string module = module_of(name);
  if (module.empty() || !stored_quantized(module)) {
    weight.dense = read_tensor(*source_, name);
    check_finite(name, weight.dense);
    return weight;
  }
  const Scheme scheme = scheme_of(module);
  const CompressedTensorsConfig::Group& group = *config_.group_of(module);
  weight.q = codes(module, scheme.weight.element);
  weight.scale = weight_scale(module, group, weight.q);
  weight.element = scheme.weight.element;
  weight.group = scheme.weight.group;
  weight.input = scheme.input;
  if (scheme.input.per_tensor()) {
    const at::Tensor scale = positive(module + ".input_scale");
    if (scale.numel() != 1) {
      throw Error(fmt::format("{} elements in {}.input_scale", scale.numel(), module),
                  "one scale a tensor", "quantize the model again");
    }
    weight.input_scale = scale.reshape({1});
  }
  return weight;
}

}  // namespace octet
