#include "quant/quantize.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/commands.h"

namespace octet {
namespace {

class QuantizeCommand : public Command {
 public:
  std::string name() const override { return "quantize"; }
  std::string summary() const override {
    return "rewrite the weights as symmetric INT8 (a compressed-tensors directory)";
  }
  std::vector<std::string> examples() const override {
    return {"octet quantize model-fp16 --scheme w8a8-dynamic --out model-w8a8",
            "octet quantize model-fp16 --scheme w8a8-static --calib calib.h5 --range mse --out "
            "model-w8a8s",
            "octet quantize model.gguf --scheme w8a16 --out model-w8a16"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    const QuantizeResult result = quantize(options_, context);
    int64_t quantized = 0;
    nlohmann::json kept = nlohmann::json::object(), per_token = nlohmann::json::object();
    for (const ModulePlan& module : result.plan) {
      if (module.quantized) ++quantized;
      if (!module.quantized) kept[module.module] = module.reason;
      if (module.per_token) per_token[module.module] = module.reason;
    }
    if (common.json) {
      fmt::print("{}\n", nlohmann::json{{"directory", result.directory},
                                        {"scheme", options_.scheme},
                                        {"bytes_before", result.bytes_before},
                                        {"bytes_after", result.bytes_after},
                                        {"quantized", quantized},
                                        {"kept", kept},
                                        {"per_token", per_token},
                                        {"reused", result.reused}}
                             .dump());
      return 0;
    }
    fmt::print("{}: {}, {} linear layers in {}; weights {:.1f} -> {:.1f} MB\n",
               result.reused ? "unchanged" : "wrote", result.directory, quantized, options_.scheme,
               static_cast<double>(result.bytes_before) / 1e6,
               static_cast<double>(result.bytes_after) / 1e6);
    for (const auto& [module, reason] : kept.items())
      fmt::print("kept {}: {}\n", module, reason.get<std::string>());
    for (const auto& [module, reason] : per_token.items())
      fmt::print("{}: {}\n", module, reason.get<std::string>());
    return 0;
  }

 private:
  QuantizeOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_quantize_command() {
  return std::make_unique<QuantizeCommand>();
}

}  // namespace octet
