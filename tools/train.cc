#include "finetune/train_model.h"
#include "models/source_model.h"
#include "tools/commands.h"
#include "tools/process_group.h"

namespace octet {
namespace {

class TrainCommand : public Command {
 public:
  std::string name() const override { return "train"; }
  std::string summary() const override {
    return "train a float model from random weights or from existing ones";
  }
  std::vector<std::string> examples() const override {
    return {
        "octet train config-dir --data train.txt --eval-data valid.txt --steps 3000 --out model",
        "octet train model-fp16 --init weights --lr 1e-5 --data train.txt --eval-data valid.txt "
        "--out model-adapted",
        "octet train marian-config --data parallel:train.en,train.de --eval-data "
        "parallel:valid.en,valid.de --batch-tokens 8192 --eval-samples 0 --label-smoothing 0.1 "
        "--lr 1e-3 --schedule inverse-sqrt --warmup 1000 --beta2 0.98 --weight-decay 0 --ema 0.999 "
        "--precision bfloat16 --device cuda --out marian",
        "torchrun --no-python --nproc-per-node 2 octet train config-dir --data train.txt "
        "--eval-data valid.txt --out model",
        "octet train config-dir --batch 16 --length 1024 --plan"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    const ProcessGroupOptions process_group = join_environment(context);
    const FinetuneResult result =
        train_model(SourceModel(options_.model), options_, process_group, context);
    if (process_group.rank == 0) print_training(result, options_.plan, common.json);
    return 0;
  }

 private:
  TrainModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_train_command() {
  return std::make_unique<TrainCommand>();
}

}  // namespace octet
