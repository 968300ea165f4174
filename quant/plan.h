// What becomes of each matrix of a checkpoint: decided before any weight is read.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "quant/scheme.h"

namespace octet {

/// How the input of one site is quantized in w8a8-static.
struct StaticInput {
  double range = 0;        ///< of the tensor, in its units
  bool per_token = false;  ///< no one scale serves: quantize per token
  std::string reason;      ///< of per_token
};
using StaticInputs = std::map<std::string, StaticInput>;  ///< by site name

/// What becomes of one linear layer.
struct ModulePlan {
  std::string module;      ///< "model.layers.0.self_attn.q_proj"
  Scheme scheme;           ///< fp16: kept as stored
  std::string reason;      ///< why it is kept, or why it is not like the others
  double input_range = 0;  ///< w8a8-static: range of the input tensor
  int64_t n = 0, k = 0;    ///< of the weight
  std::string source;      ///< tensor the weight is read from; not "<module>.weight" for a tied head
  bool quantized() const { return scheme.quantized(); }
};

}  // namespace octet
