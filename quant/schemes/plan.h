// The scheme of each matrix of a checkpoint, decided before any weight is read.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/topology.h"
#include "quant/schemes/scheme.h"

namespace octet {

/// How the input of one site is quantized in w8a8-static.
struct StaticInput {
  double range = 0;        ///< of the tensor, in its units
  double absmax = 0;       ///< largest magnitude that calibration saw
  bool per_token = false;  ///< no single scale is suitable: quantize per token
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
  std::string source;  ///< tensor the weight is read from; not "<module>.weight" for a tied head
  bool clip_search = false;  ///< weight ranges by the least sum of fourth powers of the errors
                             ///< instead of absmax
  bool quantized() const { return scheme.quantized(); }
};

/// One `--layer REGEX=SCHEME`.
struct LayerRule {
  std::string pattern;
  Scheme scheme;
};

/// Everything the command line says about which layer gets which scheme.
struct PlanRules {
  std::string architecture;  ///< selects the allow-list (is_projection)
  Scheme scheme;             ///< of the projections in the blocks
  Scheme head;               ///< of the output head; fp16: kept
  std::vector<LayerRule> layers;
  std::vector<std::string> ignore;  ///< patterns of layers to keep
  bool clip_search = true;          ///< for 4-bit weights; 8-bit ones always go by absmax
};

/// The rules of a scheme alone: the head is kept, no layer is special.
PlanRules default_rules(const std::string& architecture, const std::string& scheme);

/// Splits "REGEX=SCHEME" at its last '='. UsageError for an empty pattern or an unknown scheme.
LayerRule parse_layer_rule(const std::string& text);

/// Is this linear layer quantized unless a rule says otherwise? Goes by the last component of its
/// name: an allow-list for known architectures, common names for others
/// (docs/checkpoint-format.md).
bool is_projection(const std::string& architecture, const std::string& module);

/// Every matrix of the topology in its order. Patterns (NamePattern) see the names of the blocks'
/// linear layers; the head goes by rules.head alone. A later layer rule beats an earlier one,
/// ignore beats both. Matrices that read one input share a scheme, so a rule that matches one of
/// them moves all. inputs: of every w8a8-static site, else Error. UsageError for a rule that
/// decides nothing and for a group that does not divide K.
std::vector<ModulePlan> plan_modules(const Topology& topology, const PlanRules& rules,
                                     const StaticInputs& inputs = {});

/// Bytes of the tensors that hold a weight [n, k] under `scheme`, scales and kept weights in 16
/// bits.
int64_t stored_bytes(const Scheme& scheme, int64_t n, int64_t k);

}  // namespace octet
