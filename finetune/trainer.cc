#include "finetune/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "finetune/prefetch.h"
#include "finetune/run_batch.h"
#include "finetune/run_state.h"

namespace octet {
namespace {

int64_t scored(const std::vector<TaskBatch>& batches) {
  int64_t count = 0;
  for (const TaskBatch& batch : batches) {
    count += batch.targets.ne(kNoTarget).sum().item<int64_t>();  // still on the host
  }
  return count;
}

class Run {
 public:
  Run(const TrainSetup& setup, const TrainerOptions& options, Context& context)
      : setup_(setup),
        options_(options),
        context_(context),
        optimizer_(setup.parameters, optimizer_options(options)),
        prefetch_(*setup.task, device().is_cuda()) {
    if (options.ema == 0) return;
    for (const Parameter& p : optimizer_.parameters()) {
      state_.mean.push_back(p.leaf.detach().clone());
    }
  }

  TrainResult run() {
    const std::filesystem::path file = setup_.folder / kTrainState;
    if (load_state(file, state_, optimizer_)) {
      state_.result.resumed = state_.step;
    } else {
      const CurvePoint start = evaluate_task(setup_, options_);
      check_start(start);
      keep_best(start);
      if (setup_.worth_training && !setup_.worth_training(state_.result.eval[0])) return finish();
      save();
    }
    if (options_.steps > 0) loop();
    return finish();
  }

 private:
  at::Device device() const { return setup_.student.executor->options().device; }

  void loop() {
    Progress progress(context_.log, "train", options_.steps);
    if (state_.step > 0) progress.advance(state_.step, true);
    while (state_.step < options_.steps && !state_.result.stopped_early) {
      context_.stop.check("run the same command again to go on");
      const auto begun = std::chrono::steady_clock::now();
      one_step();
      seconds_.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
      progress.advance();
      const bool last = state_.step == options_.steps;
      if (last || state_.step % options_.eval_every == 0) judge();
      if (last || state_.step % options_.save_every == 0 || state_.result.stopped_early) save();
    }
  }

  void one_step() {
    setup_.student.executor->train(true);
    optimizer_.zero_gradients();
    const int64_t next = state_.step + 1;
    const std::vector<TaskBatch> batches = prefetch_.take(
        numbers(state_.step), next < options_.steps ? numbers(next) : std::vector<uint64_t>());
    const at::Tensor counted = at::full({1}, scored(batches), at::kLong);
    setup_.process_group->sum({counted});
    const double scale = 1.0 / std::max(1.0, static_cast<double>(counted.item<int64_t>()));
    at::Tensor sums = no_sums(device());
    for (size_t i = 0; i < batches.size(); ++i) {
      seed_generators(i);
      sums += run_batch(setup_, batches[i], options_, true, scale);
    }
    setup_.process_group->sum({sums});
    sum_gradients();
    // All that is read of a step, at once: only here the host waits for the device.
    const at::Tensor norm = optimizer_.clip_gradients().to(sums.options());
    const at::Tensor read = at::cat({sums, norm.view({1})}).to(at::kCPU);
    CurvePoint point = mean_of(LossSums::read(read), next);
    point.gradient_norm = read[4].item<double>();
    refuse_nonfinite(point);
    point.rate = options_.lr * rate_at(optimizer_options(options_), state_.step, options_.steps);
    optimizer_.step(state_.step++, options_.steps);
    follow_leaves();
    state_.result.train.push_back(point);
  }

  void sum_gradients() {
    std::vector<at::Tensor> gradients;
    for (const Parameter& p : optimizer_.parameters()) {
      if (p.leaf.grad().defined()) gradients.push_back(p.leaf.grad());
    }
    setup_.process_group->sum(gradients);
  }

  uint64_t batch_number(int64_t step, size_t i) const {
    const auto ranks = static_cast<uint64_t>(setup_.process_group->size());
    return (static_cast<uint64_t>(step * options_.accumulate) + i) * ranks +
           static_cast<uint64_t>(setup_.process_group->rank());
  }

  std::vector<uint64_t> numbers(int64_t step) const {
    std::vector<uint64_t> all;
    for (int64_t i = 0; i < options_.accumulate; ++i) {
      all.push_back(batch_number(step, static_cast<size_t>(i)));
    }
    return all;
  }

  // Generators stand where seed and batch put them, whatever ran before.
  void seed_generators(size_t i) const {
    at::manual_seed(
        Random(static_cast<uint64_t>(options_.seed), "dropout").bits(batch_number(state_.step, i)));
  }

  // The running mean moves fast at first: what it starts with is soon forgotten.
  void follow_leaves() {
    if (state_.mean.empty()) return;
    const at::NoGradGuard no_gradients;
    const auto done = static_cast<double>(state_.step);
    const double decay = std::min(options_.ema, (1 + done) / (10 + done));
    at::_foreach_lerp_(state_.mean, leaves(), 1 - decay);
  }

  std::vector<at::Tensor> leaves() const {
    std::vector<at::Tensor> all;
    for (const Parameter& p : optimizer_.parameters()) all.push_back(p.leaf.detach());
    return all;
  }

  // The leaves become the running mean, or again what they were.
  void swap_mean() {
    const at::NoGradGuard no_gradients;
    for (size_t i = 0; i < state_.mean.size(); ++i) {
      at::Tensor leaf = optimizer_.parameters()[i].leaf;
      const at::Tensor held = leaf.detach().clone();
      leaf.copy_(state_.mean[i]);
      state_.mean[i].copy_(held);
    }
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
    prefetch_.settle();
    swap_mean();
    const CurvePoint point = evaluate_task(setup_, options_);
    const bool better = point.loss < state_.result.eval[state_.result.best].loss;
    context_.log.info(fmt::format("step {}: loss {:.6f}, KL {:.6f}, nll {:.5f}{}", state_.step,
                                  point.loss, point.kl, point.nll, better ? " (best)" : ""));
    if (better) {
      keep_best(point);
    } else {
      keep_worse(point);
    }
    swap_mean();
  }

  void keep_worse(CurvePoint point) {
    point.step = state_.step;
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
    if (setup_.process_group->rank() == 0)
      save_state(setup_.folder / kTrainState, state_, optimizer_);
    setup_.process_group->barrier();
  }

  TrainResult finish() {
    const at::NoGradGuard no_gradients;
    for (size_t i = 0; i < state_.best.size(); ++i) {
      at::Tensor leaf = optimizer_.parameters()[i].leaf;
      leaf.copy_(state_.best[i]);
    }
    setup_.student.executor->train(false);
    state_.result.steps = state_.step;
    if (!seconds_.empty()) {
      const auto middle = seconds_.begin() + static_cast<int64_t>(seconds_.size() / 2);
      std::nth_element(seconds_.begin(), middle, seconds_.end());
      state_.result.step_seconds = *middle;
    }
    return state_.result;
  }

  const TrainSetup& setup_;
  const TrainerOptions& options_;
  Context& context_;
  AdamW optimizer_;
  Prefetch prefetch_;
  std::vector<double> seconds_;
  RunState state_;
};

}  // namespace

OptimizerOptions optimizer_options(const TrainerOptions& options) {
  OptimizerOptions made;
  made.lr = options.lr, made.scale_lr = options.scale_lr, made.warmup = options.warmup;
  made.schedule = options.schedule, made.weight_decay = options.weight_decay;
  made.beta1 = options.beta1, made.beta2 = options.beta2;
  made.clip = options.clip;
  return made;
}

CurvePoint mean_of(const LossSums& sums, int64_t step) {
  const auto tokens = static_cast<double>(std::max<int64_t>(1, sums.tokens));
  CurvePoint point;
  point.step = step;
  point.loss = sums.loss / tokens, point.nll = sums.nll / tokens, point.kl = sums.kl / tokens;
  return point;
}

void check_start(const CurvePoint& start) {
  if (std::isfinite(start.loss) && std::isfinite(start.kl)) return;
  throw Error(fmt::format("loss {} and KL {} before the first step", start.loss, start.kl),
              "finite numbers",
              "check that the model answers (octet eval), or train with --precision float32");
}

TrainResult train(const TrainSetup& setup, const TrainerOptions& options, Context& context) {
  check_trainer(options);
  if (options.deterministic) at::globalContext().setDeterministicAlgorithms(true, false);
  return Run(setup, options, context).run();
}

}  // namespace octet
