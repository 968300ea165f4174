// Reads compressed-tensors directories: symmetric INT8, int-quantized (W8A8) and pack-quantized
// (W8A16). Format: compressed-tensors 0.20, docs/formats in this repository's
// docs/checkpoint-format.md.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <regex>
#include <string>
#include <vector>

#include "core/containers/safetensors.h"
#include "models/weight_source.h"

namespace octet {

/// The quantization_config of a config.json, checked to be one that octet runs as written.
class CompressedTensorsConfig {
 public:
  CompressedTensorsConfig(const nlohmann::json& config, std::string what);
  /// Does this module's linear quantize its input per token at run time?
  bool dynamic(const std::string& module) const;
  bool has_activations(const std::string& module) const;

 private:
  struct Group {
    std::vector<std::string> names;
    std::vector<std::regex> patterns;
    bool all = false, activations = false, dynamic = false;
  };
  Group parse_group(const nlohmann::json& group, const std::string& name) const;
  const Group& group_of(const std::string& module) const;
  [[noreturn]] void refuse(const std::string& found, const std::string& expected) const;
  std::string what_;
  std::vector<Group> groups_;
};

class QuantizedSource : public WeightSource {
 public:
  explicit QuantizedSource(const std::filesystem::path& directory);
  bool has(const std::string& name) const override;
  /// "<module>.weight" gives codes and scales where the module is quantized, else the dense tensor.
  Weight get(const std::string& name) override;
  /// True if "<module>.weight" is stored as integers.
  bool quantized(const std::string& module) const;

 private:
  Checkpoint checkpoint_;
  CompressedTensorsConfig config_;
};

}  // namespace octet
