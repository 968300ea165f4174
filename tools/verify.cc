#include "quant/formats/compressed_tensors/verify.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/commands.h"

namespace octet {
namespace {

struct VerifyOptions : Options {
  std::string directory;
  void visit(OptionVisitor& v) override {
    v.positional("DIR", "a directory that octet quantize or octet finetune wrote", directory);
  }
};

class VerifyCommand : public Command {
 public:
  std::string name() const override { return "verify"; }
  std::string summary() const override {
    return "check every tensor of a written model against the hash recorded for it";
  }
  std::vector<std::string> examples() const override {
    return {"octet verify model-w8a8", "octet verify model-w4a16 --json"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    const VerifyReport report = verify_directory(options_.directory, context);
    if (common.json) {
      print_json(report);
    } else {
      print(report);
    }
    return report.wrong.empty() ? 0 : 1;
  }

 private:
  void print(const VerifyReport& report) const {
    for (const Mismatch& wrong : report.wrong) {
      if (wrong.name == wrong.file) {
        fmt::print("wrong: file {}: {}\n", wrong.file, wrong.problem);
      } else {
        fmt::print("wrong: tensor {} of {}: {}\n", wrong.name, wrong.file, wrong.problem);
      }
    }
    fmt::print("{}: {} tensors and {} files compared, {} wrong\n", options_.directory,
               report.tensors, report.files, report.wrong.size());
  }

  void print_json(const VerifyReport& report) const {
    nlohmann::json wrong = nlohmann::json::array();
    for (const Mismatch& mismatch : report.wrong) {
      wrong.push_back(
          {{"name", mismatch.name}, {"file", mismatch.file}, {"problem", mismatch.problem}});
    }
    fmt::print("{}\n", nlohmann::json{{"directory", options_.directory},
                                      {"tensors", report.tensors},
                                      {"files", report.files},
                                      {"wrong", wrong}}
                           .dump());
  }

  VerifyOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() {
  return std::make_unique<VerifyCommand>();
}

}  // namespace octet
