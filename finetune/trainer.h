// The trainer for quantized and for float models.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/context.h"
#include "finetune/losses.h"
#include "finetune/optimizer.h"
#include "finetune/training.h"
#include "models/run/process_group.h"

namespace octet {

/// Means of `sums` behind `step`.
CurvePoint mean_of(const LossSums& sums, int64_t step);
OptimizerOptions optimizer_options(const TrainerOptions& options);
/// Error if the scores before the first step are NaN, because no later score could be better.
void check_start(const CurvePoint& start);
/// What is trained, on what, and with whom.
struct TrainSetup {
  Runner student, teacher;            ///< the teacher may be null
  std::vector<Parameter> parameters;  ///< the leaves that move, in the order of parameters()
  const Task* task = nullptr;
  ProcessGroup* process_group = nullptr;
  std::filesystem::path folder;  ///< kTrainState is kept here
  /// false: the initial values of the leaves are good enough, and nothing is trained.
  std::function<bool(const CurvePoint&)> worth_training;
};

/// What a stage keeps in its folder until it is done, and the state of the run in there.
inline constexpr const char* kTrainFolder = "octet-train";
inline constexpr const char* kTrainState = "octet-train/state.safetensors";

/// Runs until `steps`, until `patience` evaluations in a row brought nothing better (0: never), or
/// until a stop is requested (Interrupted; the same call goes on). Leaves the best values in the
/// leaves. A loss or gradient that is not finite is an Error naming the step; the state of the step
/// before stays in the folder. After a kill, on the same device with the same number of threads,
/// the run ends with the bits of an undisturbed one: samples and generators follow from seed and
/// step alone.
TrainResult train(const TrainSetup& setup, const TrainerOptions& options, Context& context);

/// Mean scores over the evaluation batches.
CurvePoint evaluate_task(const TrainSetup& setup, const TrainerOptions& options);

}  // namespace octet
