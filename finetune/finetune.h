// The stages `octet finetune` and `octet train`.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/context.h"
#include "finetune/training.h"
#include "models/run/process_group_options.h"
#include "quant/quantize.h"

namespace octet {

struct FinetuneOptions : Options, TrainingData {
  QuantizeOptions quantize;  ///< what is trained is what `octet quantize` would write
  TrainerOptions trainer;
  std::string tune = "linears";
  bool learn_scales = false, blockwise = false, plan = false;
  double min_kl = 1e-4;
  void visit(OptionVisitor& v) override;
};

/// Bytes that a run needs, by what they are for.
struct MemoryPlan {
  std::vector<std::pair<std::string, uint64_t>> parts;
  uint64_t whole = 0, checkpointed = 0;  ///< in all, without and with --checkpointing
  uint64_t blockwise = 0;                ///< in all with --blockwise; 0 where there is none
};

struct FinetuneResult {
  std::string directory;
  TrainResult training;
  std::vector<BlockResult> blocks;  ///< with --blockwise
  std::string verdict;              ///< one sentence for a reader
  MemoryPlan memory;
  bool reused = false;  ///< the directory stood already, made from the same inputs
};

/// Fine-tunes `source`, which options.quantize.model names, fake-quantized on DATA and writes it as
/// `octet quantize` does, with the curve in octet-finetune.json. With options.plan only `memory` is
/// filled.
FinetuneResult finetune(const SourceModel& source, const FinetuneOptions& options,
                        const ProcessGroupOptions& process_group, Context& context);

}  // namespace octet
