#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/source_model.h"
#include "quant/stream/convert.h"
#include "tools/commands.h"

namespace octet {
namespace {

class ConvertCommand : public Command {
 public:
  std::string name() const override { return "convert"; }
  std::string summary() const override {
    return "convert a model to another file format, e.g. GGUF to a Hugging Face directory";
  }
  std::vector<std::string> examples() const override {
    return {"octet convert model.gguf --to safetensors --dtype float16 --out model-fp16"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    const ConvertResult result = convert(SourceModel(options_.model), options_, context);
    if (common.json) {
      fmt::print("{}\n", nlohmann::json{{"directory", result.directory},
                                        {"bytes", result.bytes},
                                        {"reused", result.reused}}
                             .dump());
    } else {
      fmt::print("{}: {} ({:.1f} MB of weights)\n", result.reused ? "unchanged" : "wrote",
                 result.directory, static_cast<double>(result.bytes) / 1e6);
    }
    return 0;
  }

 private:
  ConvertOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_convert_command() {
  return std::make_unique<ConvertCommand>();
}

}  // namespace octet
