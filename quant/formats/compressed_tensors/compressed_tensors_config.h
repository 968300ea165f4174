// The quantization_config of a compressed-tensors directory, whoever wrote it, checked to be one
// that octet runs as written. What is read and what is refused: docs/checkpoint-format.md.
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "quant/schemes/name_pattern.h"
#include "quant/schemes/scheme.h"

namespace octet {

/// A set of modules: exact names, "re:" patterns, and the class name "Linear".
class ModuleTargets {
 public:
  void add(const std::string& target, const std::string& what);
  /// The target that claims this linear layer, or empty: a name before a pattern before the class,
  /// patterns in the order of their text, as compressed-tensors 0.20 chooses.
  std::string claim(const std::string& module) const;

 private:
  std::set<std::string> names_;
  std::map<std::string, NamePattern> patterns_;  // by target, "re:" included
};

class CompressedTensorsConfig {
 public:
  /// Error naming what octet does not run: asymmetric, float, sparse, transformed, reordered, ...
  CompressedTensorsConfig(const nlohmann::json& config, std::string what);

  struct Group {
    Scheme scheme;            ///< weights I4 or I8; named as octet names its own
    bool per_tensor = false;  ///< one weight scale for all rows
  };
  /// What the config says of a linear layer; null: kept.
  const Group* group_of(const std::string& module) const;

 private:
  Group parse_group(const nlohmann::json& group, const std::string& name) const;
  void parse_weights(const nlohmann::json& weights, const std::string& name, Group& group) const;
  Format parse_inputs(const nlohmann::json& inputs, const std::string& name) const;
  void parse_targets(const nlohmann::json& targets, const std::string& what, ModuleTargets& into,
                     const Group* group);
  void refuse_unknown_features(const nlohmann::json& config) const;
  [[noreturn]] void refuse(const std::string& found, const std::string& expected) const;

  std::string what_;
  ModuleTargets targets_, ignored_;
  std::map<std::string, Group> groups_;  // by target; of two groups the later has it
};

}  // namespace octet
