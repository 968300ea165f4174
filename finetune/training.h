// What training is told and what it reports. Free of torch.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/options.h"
#include "datasets/batches.h"

namespace octet {

/// What a training stage is told about its data.
struct TrainingData {
  std::string data, eval_data, augment = "none";
  int64_t length = 256, batch = 4, batch_tokens = 0, eval_samples = 32;
  void visit_data(OptionVisitor& v);
  /// What --batch or --batch-tokens says.
  BatchOptions limits(uint64_t seed) const;
  /// Positions in the largest batch.
  int64_t largest_batch() const;
};

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
/// UsageError for options out of range.
void check_trainer(const TrainerOptions& options);

/// Squared error of a block's output against the float block's, as a share of the latter's square,
/// on the evaluation samples.
struct BlockResult {
  int block = 0;
  double before = 0, after = 0;
};

}  // namespace octet
