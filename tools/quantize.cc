#include "quant/quantize.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "models/source_model.h"
#include "tools/commands.h"

namespace octet {
namespace {

class QuantizeCommand : public Command {
 public:
  std::string name() const override { return "quantize"; }
  std::string summary() const override {
    return "quantize weights to symmetric INT8 or INT4 and write a compressed-tensors directory";
  }
  std::vector<std::string> examples() const override {
    return {"octet quantize model-fp16 --scheme w8a8-dynamic --out model-w8a8",
            "octet quantize model-fp16 --scheme w8a8-static --calib calib.h5 --range mse --out "
            "model-w8a8s",
            "octet quantize model.gguf --scheme w8a16 --out model-w8a16",
            "octet quantize model-fp16 --scheme w4a16-g64 --layer '.*down_proj=w8a16' --head w8a16 "
            "--out model-w4"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    const QuantizeResult result = quantize(SourceModel(options_.model), options_, context);
    if (common.json) {
      fmt::print("{}\n", to_json(result).dump());
    } else {
      print(result);
    }
    return 0;
  }

 private:
  static int64_t quantized(const QuantizeResult& result) {
    return std::count_if(result.plan.begin(), result.plan.end(),
                         [](const ModulePlan& module) { return module.quantized(); });
  }

  // Kept tensors that are no linear layers, the same place in all blocks as one.
  struct KeptGroup {
    int64_t count = 0;
    std::string reason;
  };
  static std::map<std::string, KeptGroup> kept_groups(const QuantizeResult& result) {
    std::map<std::string, KeptGroup> groups;
    for (const KeptTensor& tensor : result.kept) {
      if (tensor.matrix) continue;
      KeptGroup& group = groups[name_pattern(tensor.name)];
      ++group.count;
      group.reason = tensor.reason;
    }
    return groups;
  }

  nlohmann::json to_json(const QuantizeResult& result) const {
    nlohmann::json kept = nlohmann::json::object(), other = kept, refused = kept, slower = kept;
    for (const ModulePlan& module : result.plan) {
      if (!module.quantized()) {
        kept[module.module] = module.reason;
      } else if (module.scheme.name != options_.scheme) {
        other[module.module] = {{"scheme", module.scheme.name}, {"reason", module.reason}};
      }
    }
    for (const VllmFinding& finding : result.vllm) {
      (finding.refused ? refused : slower)[finding.layer].push_back(finding.reason);
    }
    nlohmann::json kept_tensors = nlohmann::json::object();
    for (const auto& [pattern, group] : kept_groups(result)) {
      kept_tensors[pattern] = {{"tensors", group.count}, {"reason", group.reason}};
    }
    return {{"directory", result.directory},
            {"scheme", options_.scheme},
            {"bytes_before", result.bytes_before},
            {"bytes_after", result.bytes_after},
            {"quantized", quantized(result)},
            {"kept", kept},
            {"other", other},
            {"vllm", {{"version", kVllmVersion}, {"refused", refused}, {"slower", slower}}},
            {"kept_tensors", kept_tensors},
            {"resumed", result.resumed},
            {"reused", result.reused}};
  }

  void print(const QuantizeResult& result) const {
    fmt::print("{}: {}, {} linear layers in {}; weights {:.1f} -> {:.1f} MB\n",
               result.reused ? "unchanged" : "wrote", result.directory, quantized(result),
               options_.scheme, static_cast<double>(result.bytes_before) / 1e6,
               static_cast<double>(result.bytes_after) / 1e6);
    for (const ModulePlan& module : result.plan) {
      if (!module.quantized()) {
        fmt::print("kept {}: {}\n", module.module, module.reason);
      } else if (module.scheme.name != options_.scheme) {
        fmt::print("{} in {}: {}\n", module.module, module.scheme.name, module.reason);
      }
    }
    for (const auto& [pattern, group] : kept_groups(result)) {
      fmt::print("kept {} ({} tensors): {}\n", pattern, group.count, group.reason);
    }
    print_vllm(result.vllm);
  }

  // Layers with the same finding on one line: names of those that would be refused, else a count.
  static void print_vllm(const std::vector<VllmFinding>& findings) {
    std::map<std::pair<bool, std::string>, std::vector<std::string>> layers;
    for (const VllmFinding& finding : findings) {
      layers[{!finding.refused, finding.reason}].push_back(finding.layer);
    }
    for (const auto& [key, names] : layers) {
      const auto& [runs, reason] = key;
      if (runs) {
        fmt::print("vLLM {}: {} layers, {}\n", kVllmVersion, names.size(), reason);
      } else {
        fmt::print("vLLM {} would refuse {}: {}\n", kVllmVersion, fmt::join(names, ", "), reason);
      }
    }
  }

  QuantizeOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_quantize_command() {
  return std::make_unique<QuantizeCommand>();
}

}  // namespace octet
