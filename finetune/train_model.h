// The stage `octet train`: the trainer without a scheme.
#pragma once
#include <string>

#include "finetune/finetune.h"

namespace octet {

struct TrainModelOptions : Options, TrainingData {
  std::string model, out, init = "random";
  TrainerOptions trainer;
  double deviation = 0, max_memory = 2;
  bool plan = false;
  TrainModelOptions();
  void visit(OptionVisitor& v) override;
};

/// Trains all leaves of the architecture of `source`, which options.model names, on cross-entropy,
/// from seeded random values or from its own weights, and writes a checkpoint beside which
/// everything else of MODEL stands (config, tokenizer), with the curve in octet-train.json. With
/// options.plan only `memory` is filled.
FinetuneResult train_model(const SourceModel& source, const TrainModelOptions& options,
                           const ProcessGroupOptions& process_group, Context& context);

}  // namespace octet
