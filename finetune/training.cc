#include "finetune/training.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace octet {
namespace {

nlohmann::json point_json(const CurvePoint& p, bool training) {
  nlohmann::json json = {{"step", p.step}, {"loss", p.loss}, {"nll", p.nll}, {"kl", p.kl}};
  if (training) json["lr"] = p.rate, json["gradient_norm"] = p.gradient_norm;
  return json;
}

}  // namespace

void TrainingData::visit_data(OptionVisitor& v) {
  v.field("data",
          "data to train on: FILE, text:FILE or jsonl:FILE; parallel:SRC,TGT or gettext:LANG; "
          "idx:DIR or images:DIR; for octet finetune also self:N (N windows that the float model "
          "generates)",
          data);
  v.field("eval-data", "held-out data for evaluation during training", eval_data);
  v.field("length", "tokens in a text window, or the most tokens in a sentence", length);
  v.field("batch", "samples in a batch", batch);
  v.field("batch-tokens", "padded tokens in a batch; replaces --batch unless 0", batch_tokens);
  v.field("augment", "augmentation of training images: none, or any of crop,flip,erase", augment);
  v.field("eval-samples", "samples of --eval-data to evaluate on, 0 for all", eval_samples);
}

BatchOptions TrainingData::limits(uint64_t seed) const {
  BatchOptions limits;
  limits.seed = seed;
  (batch_tokens > 0 ? limits.max_tokens : limits.max_samples) =
      batch_tokens > 0 ? batch_tokens : batch;
  return limits;
}

int64_t TrainingData::largest_batch() const {
  return batch_tokens > 0 ? batch_tokens : batch * length;
}

void check_trainer(const TrainerOptions& options) {
  const bool good = options.steps >= 0 && options.accumulate >= 1 && options.eval_every >= 1 &&
                    options.save_every >= 1 && options.warmup >= 0 && options.lr > 0;
  if (!good) {
    throw UsageError(
        "a negative number of steps, or a zero among accumulate, eval-every, "
        "save-every and lr",
        "positive numbers", "leave the option out for its default");
  }
  const auto share = [](double value) { return value >= 0 && value < 1; };
  if (!share(options.beta1) || !share(options.beta2) || !share(options.ema) ||
      !share(options.label_smoothing)) {
    throw UsageError(
        fmt::format("--beta1 {} --beta2 {} --ema {} --label-smoothing {}", options.beta1,
                    options.beta2, options.ema, options.label_smoothing),
        "numbers from 0 to below 1", "leave the option out for its default");
  }
  if (options.precision != "float32" && options.precision != "bfloat16") {
    throw UsageError(fmt::format("--precision {}", options.precision), "float32 or bfloat16",
                     "choose one of them");
  }
}

void TrainerOptions::visit(OptionVisitor& v) {
  v.field("steps", "optimizer steps", steps);
  v.field("accumulate", "batches whose gradients are accumulated in a step", accumulate);
  v.field("loss", "ce (cross-entropy), kl (divergence from the float model) or both", loss);
  v.field("label-smoothing", "cross-entropy: probability spread evenly over all classes",
          label_smoothing);
  v.field("lr", "peak learning rate", lr);
  v.field("scale-lr", "peak learning rate of learned scales", scale_lr);
  v.field("warmup", "steps over which the learning rate rises linearly", warmup);
  v.field("schedule",
          "learning rate after the warm-up: cosine (to a tenth of the peak), inverse-sqrt or "
          "constant",
          schedule);
  v.field("beta1", "AdamW: decay of the running mean of the gradients", beta1);
  v.field("beta2", "AdamW: decay of the running mean of the squared gradients", beta2);
  v.field("weight-decay", "AdamW: weight decay, applied only to weight matrices", weight_decay);
  v.field("clip", "largest norm of all gradients together, 0 for no clipping", clip);
  v.field(
      "ema",
      "decay of a moving average of the weights, which is evaluated and kept instead of them; 0 "
      "for none",
      ema);
  v.field("precision", "dtype of matrix products: float32 or bfloat16; parameters stay in float32",
          precision);
  v.field("checkpointing",
          "save memory: keep only the inputs of the blocks and recompute the rest in the backward "
          "pass",
          checkpointing);
  v.field("eval-every", "steps between evaluations", eval_every);
  v.field("save-every", "steps between saved states, from which training resumes", save_every);
  v.field("patience", "stop after this many evaluations without improvement, 0 for never",
          patience);
  v.field("seed", "seed for the order of samples and for dropout", seed);
  v.field("deterministic", "refuse operations whose results vary from run to run", deterministic);
}

nlohmann::json to_json(const TrainResult& result) {
  nlohmann::json train = nlohmann::json::array(), eval = nlohmann::json::array();
  for (const CurvePoint& p : result.train) train.push_back(point_json(p, true));
  for (const CurvePoint& p : result.eval) eval.push_back(point_json(p, false));
  return {{"train", train},
          {"eval", eval},
          {"best", point_json(result.eval[result.best], false)},
          {"steps", result.steps},
          {"stopped_early", result.stopped_early},
          {"step_seconds", result.step_seconds}};
}

}  // namespace octet
