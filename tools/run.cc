#include <fmt/format.h>

#include "core/io/input_file.h"
#include "tools/commands.h"
#include "tools/pipeline/run.h"

namespace octet {
namespace {

class RunCommand : public Command {
 public:
  std::string name() const override { return "run"; }
  std::string summary() const override {
    return "calibrate, quantize, fine-tune, evaluate, time and report in one resumable job";
  }
  std::vector<std::string> examples() const override {
    return {
        "octet run model-fp16 --calib-data calib.txt --eval-data test.txt --schemes "
        "w8a8-dynamic,w8a16 --out report",
        "octet run marian-en-de --data gettext:de --schemes w8a8-static,w4a16-g64 --finetune 500 "
        "--out report"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    const RunResult result = run_pipeline(options_, context);
    if (common.json) {
      fmt::print("{}", read_file(result.json_path));
    } else {
      fmt::print("{}\nreport: {}, {} and {}{}\n", result.table, result.html_path,
                 result.markdown_path, result.json_path, result.reused ? " (unchanged)" : "");
    }
    return 0;
  }

 private:
  RunOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_run_command() {
  return std::make_unique<RunCommand>();
}

}  // namespace octet
