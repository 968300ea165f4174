#include "quant/formats/compressed_tensors/vllm_rules.h"

#include <fmt/format.h>

#include <map>

namespace octet {
namespace {

// A linear layer as vLLM builds it: the matrices of one site, fused along N.
struct FusedLayer {
  std::vector<const ModulePlan*> parts;
  int64_t n = 0, k = 0;
  bool half = true;  // computes in float16, else in bfloat16
  const Scheme& scheme() const { return parts.front()->scheme; }
  int64_t group() const { return scheme().weight.group; }
  bool integer() const { return scheme().input.element == Dtype::kI8; }
  bool weight_only() const { return scheme().weight_only(); }
};

// The finding, or nothing where the rule holds.
using Check = std::string (*)(const FusedLayer&);

std::string one_scheme(const FusedLayer& layer) {
  for (const ModulePlan* part : layer.parts) {
    if (part->scheme == layer.scheme()) continue;
    return fmt::format("{} is {} and {} is {}: a fused layer has one scheme",
                       layer.parts.front()->module, layer.scheme().name, part->module,
                       part->scheme.name);
  }
  return "";
}

std::string one_input_scale(const FusedLayer& layer) {
  for (const ModulePlan* part : layer.parts) {
    if (part->input_range == layer.parts.front()->input_range) continue;
    return fmt::format("{} has another input scale than {}: the one loaded last would serve both",
                       part->module, layer.parts.front()->module);
  }
  return "";
}

bool marlin(const FusedLayer& layer) {
  const int64_t group = layer.group();
  return group == 0 || group == 32 || group == 64 || group == 128;
}

bool exllama(const FusedLayer& layer) {
  return layer.half && layer.group() > 0 &&
         layer.n % (32 / bits(layer.scheme().weight.element)) == 0;
}

bool triton_w4a16(const FusedLayer& layer) {
  const int64_t group = layer.group();
  return layer.scheme().weight.element == Dtype::kI4 && layer.n % 8 == 0 &&
         (group == 256 || group == layer.k);
}

std::string group_has_kernel(const FusedLayer& layer) {
  if (!layer.weight_only() || marlin(layer) || exllama(layer) || triton_w4a16(layer)) return "";
  return fmt::format(
      "no kernel for {} in groups of {} with {} outputs in {}: Marlin takes groups of 32, 64 and "
      "128",
      layer.scheme().name, layer.group(), layer.n, layer.half ? "float16" : "bfloat16");
}

std::string group_has_marlin(const FusedLayer& layer) {
  if (!layer.weight_only() || marlin(layer)) return "";
  const char* kernel = exllama(layer) ? "Exllama" : triton_w4a16(layer) ? "Triton" : nullptr;
  if (kernel == nullptr) return "";
  return fmt::format("groups of {} run on the {} kernel: Marlin takes 32, 64 and 128",
                     layer.group(), kernel);
}

std::string marlin_tiles(const FusedLayer& layer) {
  if (!layer.weight_only() || !marlin(layer)) return "";
  if (layer.n % 64 == 0 && layer.k % 128 == 0) return "";
  if (layer.n % 128 == 0 && layer.k % 64 == 0) return "";
  return fmt::format(
      "[{}, {}] does not fill Marlin's tiles (64 x 128 or 128 x 64): padded at run time", layer.n,
      layer.k);
}

std::string cutlass_alignment(const FusedLayer& layer) {
  if (!layer.integer() || (layer.n % 16 == 0 && layer.k % 16 == 0)) return "";
  return fmt::format(
      "[{}, {}] is not a multiple of 16 both ways: Triton's kernel instead of CUTLASS", layer.n,
      layer.k);
}

std::string blackwell(const FusedLayer& layer) {
  if (!layer.integer()) return "";
  return "INT8 activations fail on compute capability 10.0 and above (vllm#54311) unless "
         "VLLM_DISABLED_KERNELS=CutlassInt8ScaledMMLinearKernel";
}

struct Rule {
  bool refuses;
  Check check;
};

// Read from vLLM's source; paths below vllm/model_executor/ unless they begin elsewhere.
constexpr Rule kRules[] = {
    // layers/quantization/compressed_tensors/utils.py: should_ignore_layer, _match_fused_layer
    {true, one_scheme},
    // layers/quantization/compressed_tensors/schemes/compressed_tensors_w8a8_int8.py: input_scale
    {true, one_input_scale},
    // kernels/linear/__init__.py: choose_mp_linear_kernel, and can_implement of
    // kernels/linear/mixed_precision/{marlin,exllama,triton_w4a16}.py
    {true, group_has_kernel},
    {false, group_has_marlin},
    // layers/quantization/utils/marlin_utils.py: marlin_padded_nk
    {false, marlin_tiles},
    // vllm/_custom_ops.py: cutlass_scaled_mm
    {false, cutlass_alignment},
    // kernels/linear/scaled_mm/cutlass.py: CutlassInt8ScaledMMLinearKernel.is_supported
    {false, blackwell},
};

}  // namespace

std::vector<VllmFinding> check_vllm(const Topology& topology, const std::vector<ModulePlan>& plan,
                                    const std::string& dtype) {
  std::map<std::string, const ModulePlan*> by_name;
  for (const ModulePlan& module : plan) by_name[module.module] = &module;
  std::vector<VllmFinding> findings;
  for (const Site& site : topology.sites) {
    FusedLayer layer;
    for (const Matrix& matrix : site.matrices) layer.parts.push_back(by_name.at(matrix.name));
    layer.n = site.n(), layer.k = site.k(), layer.half = dtype != "bfloat16";
    for (const Rule& rule : kRules) {
      const std::string reason = rule.check(layer);
      if (!reason.empty()) findings.push_back({site.name, rule.refuses, reason});
    }
  }
  return findings;
}

}  // namespace octet
