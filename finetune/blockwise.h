// Block-wise tuning: where gradients and moments of a whole model do not fit, its blocks are tuned
// one after the other, each towards the output of the float block (Li et al., "BRECQ: Pushing the
// Limit of Post-Training Quantization by Block Reconstruction", ICLR 2021).
#pragma once
#include <filesystem>
#include <functional>
#include <vector>

#include "calib/block_walk.h"
#include "finetune/sampled_task.h"
#include "finetune/trainer.h"
#include "finetune/training.h"

namespace octet {

/// Executors of one model with nothing loaded: blocks are loaded and released one by one. Leaves
/// are chosen among those of what is loaded.
struct BlockwiseSetup {
  Runner student, teacher;
  std::function<std::vector<Parameter>(int block)> leaves;
  const SampledTask* task = nullptr;
  ProcessGroup* process_group = nullptr;
  std::filesystem::path folder;  ///< for tuned blocks, and for hidden states that go to disk
  MemoryBudget budget;           ///< of hidden states, of student and teacher together
  double min_kl = 0;             ///< nothing is tuned unless the mean KL is above this
};

struct BlockwiseResult {
  TrainResult training;  ///< eval[0]: quantized alone; eval[1]: tuned, when it was
  std::vector<BlockResult> blocks;
};

/// options.steps and --warmup count for each block. The inputs of a block are the outputs of the
/// tuned blocks before it. Called again after a kill, it resumes after the last complete block;
/// batches whose hidden states were in memory run up to there again. A block that got no better
/// keeps its values.
BlockwiseResult tune_blockwise(const BlockwiseSetup& setup, const TrainerOptions& options,
                               Context& context);

/// Puts what was tuned into the leaves of the student, which is loaded whole.
void load_tuned_blocks(const BlockwiseSetup& setup);

}  // namespace octet
