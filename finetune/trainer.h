// The one trainer: of quantized models and of float ones.
#pragma once
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/options.h"
#include "finetune/losses.h"
#include "finetune/optimizer.h"
#include "models/run/process_group.h"

namespace octet {

struct TrainerOptions : Options {
  int64_t steps = 500, accumulate = 1, warmup = 25;
  int64_t eval_every = 50, save_every = 50, patience = 5, seed = 1;
  std::string loss = "kl", schedule = "cosine", precision = "float32";
  double lr = 1e-5, scale_lr = 1e-4, weight_decay = 0, clip = 1, label_smoothing = 0;
  double beta1 = 0.9, beta2 = 0.999;
  double ema = 0;  ///< of the running mean of the leaves that is judged and kept; 0: none
  bool checkpointing = false, deterministic = false;
  void visit(OptionVisitor& v) override;
};

/// One line of the loss curve; means over tokens, in nats.
struct CurvePoint {
  int64_t step = 0;  ///< steps done
  double loss = 0, nll = 0, kl = 0;
  double rate = 0, gradient_norm = 0;  ///< of training
};

struct TrainResult {
  std::vector<CurvePoint> train, eval;  ///< eval[0]: before the first step
  size_t best = 0;                      ///< index in eval of what is kept
  int64_t steps = 0;                    ///< done in all
  int64_t resumed = 0;                  ///< of them found done
  bool stopped_early = false;
  double step_seconds = 0;  ///< median over the steps of this process; no part of the state
};
nlohmann::json to_json(const TrainResult& result);
/// Means of `sums` behind `step`.
CurvePoint mean_of(const LossSums& sums, int64_t step);
OptimizerOptions optimizer_options(const TrainerOptions& options);
/// Error where the scores before the first step are no numbers: then nothing can get better.
void check_start(const CurvePoint& start);
/// UsageError for options out of range.
void check_trainer(const TrainerOptions& options);

/// What is trained, on what, and with whom.
struct TrainSetup {
  Runner student, teacher;            ///< the teacher may be null
  std::vector<Parameter> parameters;  ///< the leaves that move, in the order of parameters()
  const Task* task = nullptr;
  ProcessGroup* process_group = nullptr;
  std::filesystem::path folder;  ///< kTrainState is kept here
  /// false: what the leaves start with is good enough; nothing is done.
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
