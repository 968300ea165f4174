#include "finetune/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/random.h"
#include "finetune/blocks.h"
#include "finetune/run_state.h"

namespace octet {
namespace {

// torch's mixed precision while in scope: matrix products in bfloat16, leaves in float32.
class Autocast {
 public:
  Autocast(at::Device device, bool on) : type_(device.type()), on_(on) {
    if (!on_) return;
    at::autocast::set_autocast_enabled(type_, true);
    at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  }
  ~Autocast() {
    if (!on_) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type_, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType type_;
  bool on_;
};

Batch on_device(const Batch& batch, at::Device device) {
  Batch moved = batch;
  for (at::Tensor* tensor :
       {&moved.ids, &moved.positions, &moved.mask, &moved.target_ids, &moved.target_mask,
        &moved.pixels}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  return moved;
}

OptimizerOptions optimizer_options(const TrainerOptions& options) {
  OptimizerOptions made;
  made.lr = options.lr, made.scale_lr = options.scale_lr, made.warmup = options.warmup;
  made.schedule = options.schedule, made.weight_decay = options.weight_decay;
  made.clip = options.clip;
  return made;
}

LossOptions loss_options(const TrainerOptions& options) {
  LossOptions made = parse_loss(options.loss);
  made.label_smoothing = options.label_smoothing;
  return made;
}

CurvePoint mean_of(const LossSums& sums, int64_t step) {
  const auto tokens = static_cast<double>(std::max<int64_t>(1, sums.tokens));
  CurvePoint point;
  point.step = step;
  point.loss = sums.loss / tokens, point.nll = sums.nll / tokens, point.kl = sums.kl / tokens;
  return point;
}

LossSums run_batch(const TrainSetup& setup, const TaskBatch& batch, const TrainerOptions& options,
                   const LossOptions& loss, bool backward, double scale) {
  const at::Device device = setup.student.executor->options().device;
  const Batch inputs = on_device(batch.inputs, device);
  const Autocast autocast(device, options.precision == "bfloat16");
  Hidden expected;
  if (setup.teacher) {
    const at::NoGradGuard no_gradients;
    expected = run_blocks(setup.teacher, inputs, false);
  }
  Hidden hidden = run_blocks(setup.student, inputs, options.checkpointing);
  return chunked_loss(setup.student, hidden, setup.teacher, setup.teacher ? &expected : nullptr,
                      batch.targets.to(device), setup.task->positionwise(), loss, backward, scale);
}

class Run {
 public:
  Run(const TrainSetup& setup, const TrainerOptions& options, Context& context)
      : setup_(setup),
        options_(options),
        context_(context),
        loss_(loss_options(options)),
        optimizer_(setup.parameters, optimizer_options(options)) {}

  TrainResult run() {
    const std::filesystem::path file = setup_.folder / kTrainState;
    if (load_state(file, state_, optimizer_)) {
      state_.result.resumed = state_.step;
    } else {
      keep_best(evaluate_task(setup_, options_));
      if (setup_.worth_training && !setup_.worth_training(state_.result.eval[0])) return finish();
      save();
    }
    if (options_.steps > 0) loop();
    return finish();
  }

 private:
  void loop() {
    Progress progress(context_.log, "train", options_.steps);
    if (state_.step > 0) progress.advance(state_.step, true);
    while (state_.step < options_.steps && !state_.result.stopped_early) {
      context_.stop.check("run the same command again to go on");
      one_step();
      progress.advance();
      const bool last = state_.step == options_.steps;
      if (last || state_.step % options_.eval_every == 0) judge();
      if (last || state_.step % options_.save_every == 0 || state_.result.stopped_early) save();
    }
  }

  void one_step() {
    setup_.student.executor->train(true);
    optimizer_.zero_gradients();
    const std::vector<TaskBatch> batches = draw();
    at::Tensor counted = at::zeros({1}, at::kDouble);
    for (const TaskBatch& batch : batches) {
      counted += batch.targets.ne(kNoTarget).sum().to(at::kCPU, at::kDouble);
    }
    setup_.world->sum({counted});
    const double scale = 1.0 / std::max(1.0, counted.item<double>());
    LossSums sums;
    for (size_t i = 0; i < batches.size(); ++i) {
      seed_generators(i);
      sums.add(run_batch(setup_, batches[i], options_, loss_, true, scale));
    }
    at::Tensor shared = at::tensor({sums.loss, sums.nll, sums.kl}, at::kDouble);
    setup_.world->sum({shared});
    std::vector<at::Tensor> gradients;
    for (const Parameter& p : optimizer_.parameters()) {
      if (p.leaf.grad().defined()) gradients.push_back(p.leaf.grad());
    }
    setup_.world->sum(gradients);
    CurvePoint point = mean_of({shared[0].item<double>(), shared[1].item<double>(),
                                shared[2].item<double>(), counted.to(at::kLong).item<int64_t>()},
                               state_.step + 1);
    point.gradient_norm = optimizer_.clip_gradients();
    refuse_nonfinite(point);
    point.rate = options_.lr * rate_at(optimizer_options(options_), state_.step, options_.steps);
    optimizer_.step(state_.step++, options_.steps);
    state_.result.train.push_back(point);
  }

  uint64_t batch_number(size_t i) const {
    const auto world = static_cast<uint64_t>(setup_.world->size());
    return (static_cast<uint64_t>(state_.step * options_.accumulate) + i) * world +
           static_cast<uint64_t>(setup_.world->rank());
  }

  std::vector<TaskBatch> draw() const {
    std::vector<TaskBatch> batches;
    for (int64_t i = 0; i < options_.accumulate; ++i) {
      batches.push_back(setup_.task->train(batch_number(static_cast<size_t>(i))));
    }
    return batches;
  }

  // Generators stand where seed and batch put them, whatever ran before.
  void seed_generators(size_t i) const {
    at::manual_seed(Random(static_cast<uint64_t>(options_.seed), "dropout").bits(batch_number(i)));
  }

  // The leaves are still those of the step before.
  void refuse_nonfinite(const CurvePoint& point) {
    if (std::isfinite(point.loss) && std::isfinite(point.gradient_norm)) return;
    save();
    throw Error(fmt::format("loss {} and gradient norm {} in step {}", point.loss,
                            point.gradient_norm, point.step),
                "finite numbers",
                fmt::format("try a smaller --lr or a longer --warmup; the state after step {} is "
                            "kept in {}",
                            state_.step, (setup_.folder / kTrainState).string()));
  }

  void judge() {
    const CurvePoint point = evaluate_task(setup_, options_);
    const bool better = point.loss < state_.result.eval[state_.result.best].loss;
    context_.log.info(fmt::format("step {}: loss {:.6f}, KL {:.6f}, nll {:.5f}{}", state_.step,
                                  point.loss, point.kl, point.nll, better ? " (best)" : ""));
    if (better) return keep_best(point);
    state_.result.eval.push_back(point);
    ++state_.worse;
    state_.result.stopped_early = options_.patience > 0 && state_.worse >= options_.patience;
  }

  void keep_best(CurvePoint point) {
    point.step = state_.step;
    state_.result.eval.push_back(point);
    state_.result.best = state_.result.eval.size() - 1;
    state_.worse = 0;
    state_.best.clear();
    for (const Parameter& p : optimizer_.parameters()) {
      state_.best.push_back(p.leaf.detach().to(at::kCPU, at::kFloat, false, true));
    }
  }

  void save() {
    if (setup_.world->rank() == 0) save_state(setup_.folder / kTrainState, state_, optimizer_);
    setup_.world->barrier();
  }

  TrainResult finish() {
    const at::NoGradGuard no_gradients;
    for (size_t i = 0; i < state_.best.size(); ++i) {
      at::Tensor leaf = optimizer_.parameters()[i].leaf;
      leaf.copy_(state_.best[i]);
    }
    setup_.student.executor->train(false);
    state_.result.steps = state_.step;
    return state_.result;
  }

  const TrainSetup& setup_;
  const TrainerOptions& options_;
  Context& context_;
  LossOptions loss_;
  AdamW optimizer_;
  RunState state_;
};

void check(const TrainerOptions& options) {
  const bool good = options.steps >= 0 && options.accumulate >= 1 && options.eval_every >= 1 &&
                    options.save_every >= 1 && options.warmup >= 0 && options.lr > 0;
  if (!good) {
    throw UsageError(
        "a negative number of steps, or a zero among accumulate, eval-every, "
        "save-every and lr",
        "positive numbers", "leave the option out for its default");
  }
  if (options.precision != "float32" && options.precision != "bfloat16") {
    throw UsageError(fmt::format("--precision {}", options.precision), "float32 or bfloat16",
                     "choose one of them");
  }
}

nlohmann::json point_json(const CurvePoint& p, bool training) {
  nlohmann::json json = {{"step", p.step}, {"loss", p.loss}, {"nll", p.nll}, {"kl", p.kl}};
  if (training) json["lr"] = p.rate, json["gradient_norm"] = p.gradient_norm;
  return json;
}

}  // namespace

void TrainerOptions::visit(OptionVisitor& v) {
  v.field("steps", "optimizer steps", steps);
  v.field("accumulate", "batches a step", accumulate);
  v.field("loss", "ce (cross-entropy), kl (divergence from the float model) or both", loss);
  v.field("label-smoothing", "share of a target spread over all classes, for ce", label_smoothing);
  v.field("lr", "highest learning rate", lr);
  v.field("scale-lr", "the same for learned scales", scale_lr);
  v.field("warmup", "steps over which the rate rises", warmup);
  v.field("schedule", "behind the warm-up: cosine (to a tenth), inverse-sqrt or constant",
          schedule);
  v.field("weight-decay", "of weights, a step and unit of rate", weight_decay);
  v.field("clip", "largest norm of all gradients together, 0 for any", clip);
  v.field("precision", "of matrix products: float32 or bfloat16 (leaves stay float32)", precision);
  v.field("checkpointing", "keep only what passes between blocks, run them again backwards",
          checkpointing);
  v.field("eval-every", "steps between evaluations", eval_every);
  v.field("save-every", "steps between saved states", save_every);
  v.field("patience", "stop after this many evaluations without a better one, 0 for never",
          patience);
  v.field("seed", "of samples and dropout", seed);
  v.field("deterministic", "refuse operations whose bits vary from run to run", deterministic);
}

nlohmann::json to_json(const TrainResult& result) {
  nlohmann::json train = nlohmann::json::array(), eval = nlohmann::json::array();
  for (const CurvePoint& p : result.train) train.push_back(point_json(p, true));
  for (const CurvePoint& p : result.eval) eval.push_back(point_json(p, false));
  return {{"train", train},
          {"eval", eval},
          {"best", point_json(result.eval[result.best], false)},
          {"steps", result.steps},
          {"stopped_early", result.stopped_early}};
}

CurvePoint evaluate_task(const TrainSetup& setup, const TrainerOptions& options) {
  const at::NoGradGuard no_gradients;
  setup.student.executor->train(false);
  const LossOptions loss = loss_options(options);
  LossSums sums;
  for (int64_t i = 0; i < setup.task->eval_batches(); ++i) {
    sums.add(run_batch(setup, setup.task->eval(i), options, loss, false, 0));
  }
  return mean_of(sums, 0);
}

TrainResult train(const TrainSetup& setup, const TrainerOptions& options, Context& context) {
  check(options);
  if (options.deterministic) at::globalContext().setDeterministicAlgorithms(true, false);
  return Run(setup, options, context).run();
}

}  // namespace octet
