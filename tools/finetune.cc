#include "finetune/finetune.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/source_model.h"
#include "tools/commands.h"
#include "tools/process_group.h"

namespace octet {
namespace {

class FinetuneCommand : public Command {
 public:
  std::string name() const override { return "finetune"; }
  std::string summary() const override {
    return "recover most of the lost quality with a short quantization-aware fine-tuning run";
  }
  std::vector<std::string> examples() const override {
    return {
        "octet finetune model-fp16 --scheme w8a8-static --calib calib.h5 --data train.txt "
        "--eval-data valid.txt --steps 500 --out model-w8a8-tuned",
        "octet finetune model-fp16 --scheme w4a16-g64 --data train.txt --eval-data valid.txt "
        "--precision bfloat16 --device cuda --out model-w4-tuned",
        "octet finetune model-fp16 --scheme w4a16-g64 --data self:2000 --eval-data valid.txt "
        "--blockwise --steps 200 --out model-w4-tuned",
        "octet finetune marian-fp16 --scheme w8a8-static --calib calib.h5 --data "
        "parallel:train.en,train.de --eval-data parallel:valid.en,valid.de --batch-tokens 4096 "
        "--out marian-w8a8-tuned",
        "octet finetune model-fp16 --scheme w4a16-g64 --batch 8 --length 1024 --plan"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    const ProcessGroupOptions process_group = join_environment(context);
    const FinetuneResult result =
        finetune(SourceModel(options_.quantize.model), options_, process_group, context);
    if (process_group.rank == 0) print_training(result, options_.plan, common.json);
    return 0;
  }

 private:
  FinetuneOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_finetune_command() {
  return std::make_unique<FinetuneCommand>();
}

}  // namespace octet
