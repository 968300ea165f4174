// Linear modules of a checkpoint whose architecture octet does not execute, recognized only by the
// names, shapes and dtypes in the headers. Schemes that need no calibration can be applied to them.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/containers/safetensors.h"
#include "models/topology.h"

namespace octet {

/// Last components of the names of modules that count as projections; the list with its sources is
/// in docs/models.md. Layers that store their weight transposed (GPT-2's Conv1D) are not on it.
std::span<const std::string_view> projection_names();

/// A tensor that stays as it is.
struct KeptTensor {
  std::string name, reason;
  bool matrix;  ///< two-dimensional ".weight" that is no table: a linear layer, kept
};

struct ModulesByName {
  /// Sites alone, no tables or norms. Modules under one parent that read one input (q, k and v;
  /// gate and up) share a site; the block is the first number in the name, 0 without one.
  Topology topology;
  /// Weights stored as F8_E4M3 with a factor a block of 128 x 128 (DeepSeek-V3): name of the weight
  /// -> name of its F32 [ceil(n / 128), ceil(k / 128)] factors, "<module>.weight_scale_inv". They
  /// are floats only after cpu::widen_e4m3 (kernels/cpu/weights/block_scales.h).
  std::map<std::string, std::string> block_scales;
  /// Every other tensor, in the order given; biases of the sites' modules among them.
  std::vector<KeptTensor> kept;
};

ModulesByName modules_by_name(const std::vector<TensorInfo>& tensors);
ModulesByName modules_by_name(const Checkpoint& checkpoint);

/// The name with every number replaced by "*": one pattern for the same place in all blocks.
std::string name_pattern(std::string_view name);

}  // namespace octet
