#include "finetune/blockwise.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/error.h"
#include "core/json.h"
#include "finetune/block_error.h"
#include "finetune/run_batch.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kErrors = "octet-block-errors";

fs::path block_file(const fs::path& folder, int block) {
  return folder / fmt::format("block-{}.safetensors", block);
}

void save_block(const fs::path& file, const std::vector<Parameter>& leaves,
                const BlockResult& result) {
  std::vector<TensorInfo> infos;
  for (const Parameter& p : leaves) infos.push_back({p.name, Dtype::kF32, p.leaf.sizes().vec()});
  const nlohmann::json errors = {result.before, result.after};
  SafetensorsWriter writer(file, infos, {{kErrors, errors.dump()}});
  for (const Parameter& p : leaves) {
    const at::Tensor host = p.leaf.detach().to(at::kCPU).contiguous();
    writer.write(p.name, {static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()});
  }
  writer.commit();
}

BlockResult load_block(const fs::path& file, int block, const std::vector<Parameter>& leaves) {
  const at::NoGradGuard no_gradients;
  const SafetensorsFile stored(file);
  for (const Parameter& p : leaves) {
    const auto entry = stored.entries().find(p.name);
    if (entry == stored.entries().end() || entry->second.info.dtype != Dtype::kF32 ||
        entry->second.info.shape != p.leaf.sizes().vec()) {
      throw Error(fmt::format("no {} in {}", p.name, file.string()), "what this run wrote",
                  "remove the folder to start over");
    }
    const at::Tensor host = at::empty(p.leaf.sizes(), at::kFloat);
    stored.read(entry->second, {static_cast<std::byte*>(host.data_ptr()), host.nbytes()});
    at::Tensor leaf = p.leaf;
    leaf.copy_(host);
  }
  const nlohmann::json errors = parse_json(stored.metadata().at(kErrors), file);
  return {block, errors.at(0), errors.at(1)};
}

std::vector<at::Tensor> values_of(const std::vector<Parameter>& leaves) {
  std::vector<at::Tensor> values;
  for (const Parameter& p : leaves) values.push_back(p.leaf.detach().clone());
  return values;
}

void restore(const std::vector<Parameter>& leaves, const std::vector<at::Tensor>& values) {
  const at::NoGradGuard no_gradients;
  for (size_t i = 0; i < leaves.size(); ++i) {
    at::Tensor leaf = leaves[i].leaf;
    leaf.copy_(values[i]);
  }
}

// The student's block, and the teacher's walk, which is past it.
struct Pair {
  BlockPass& pass;
  const BlockWalk& target;
};

class BlockTuner {
 public:
  BlockTuner(const BlockwiseSetup& setup, const TrainerOptions& options, Context& context)
      : setup_(setup),
        options_(options),
        context_(context),
        topology_(setup.student.model->topology()),
        folder_(setup.folder / fmt::format("rank-{}", setup.process_group->rank())) {
    const auto ranks = static_cast<uint64_t>(setup.process_group->size());
    training_ = std::clamp<int64_t>(static_cast<int64_t>(setup.task->train_batches() / ranks), 1,
                                    std::max<int64_t>(1, options.steps));
    units_ = training_ + setup.task->eval_batches();
  }

  BlockwiseResult run() {
    BlockwiseResult result;
    result.training.eval.push_back(score(false));
    check_start(result.training.eval[0]);
    if (options_.steps == 0 || result.training.eval[0].kl <= setup_.min_kl) return result;
    int done = 0;
    while (done < topology_.blocks && fs::exists(block_file(setup_.folder, done))) ++done;
    result.training.resumed = done;
    tune_from(done);
    result.training.steps = options_.steps;
    result.training.eval.push_back(score(true, &result.blocks));
    result.training.eval[1].step = options_.steps;
    const auto& eval = result.training.eval;
    result.training.best = eval[1].kl < eval[0].kl ? 1 : 0;
    return result;
  }

 private:
  at::Device device() const { return setup_.student.executor->options().device; }

  TaskBatch batch(int64_t unit) const {
    if (unit >= training_) return setup_.task->eval(unit - training_);
    return setup_.task->train(static_cast<uint64_t>(unit * setup_.process_group->size()) +
                              static_cast<uint64_t>(setup_.process_group->rank()));
  }

  // Over the units from `first` on.
  BlockWalk walk(const Runner& runner, const fs::path& folder, int64_t first, int finished) const {
    WalkSetup setup;
    setup.model = runner.model, setup.executor = runner.executor, setup.context = &context_;
    setup.units = units_ - first;
    setup.batch = [this, first](int64_t unit) { return batch(first + unit).inputs; };
    setup.folder = folder;
    setup.budget = {setup_.budget.host / 2, setup_.budget.device / 2};
    setup.finished = finished;
    return BlockWalk(std::move(setup));
  }

  Autocast autocast() const { return {device(), options_.precision == "bfloat16"}; }

  void advance(BlockPass& pass) const {
    const Autocast precision = autocast();
    pass.executor().train(false);
    pass.advance();
  }

  void tune_from(int done) const {
    Progress progress(context_.log, "tune", topology_.blocks);
    if (done > 0) progress.advance(done, true);
    BlockWalk teacher = walk(setup_.teacher, folder_ / "float", 0, done);
    BlockWalk student = walk(setup_.student, folder_ / "quantized", 0, done);
    const auto visit = [&](BlockPass& pass) {
      if (pass.finished()) {
        load_block(block_file(setup_.folder, pass.block()), pass.block(),
                   setup_.leaves(pass.block()));
        return advance(pass);
      }
      tune({pass, teacher});
      progress.advance();
    };
    walk_blocks({{&teacher, [this](BlockPass& pass) { advance(pass); }}, {&student, visit}});
  }

  at::Tensor error_of(const Pair& pair, int64_t unit) const {
    const Hidden out = [&] {
      const Autocast precision = autocast();
      return pair.pass.run(unit);
    }();
    return block_error(topology_, pair.pass.block(), out, pair.target.hidden(unit));
  }

  double evaluation_error(const Pair& pair) const {
    const at::NoGradGuard no_gradients;
    pair.pass.executor().train(false);
    double sum = 0;
    for (int64_t unit = training_; unit < units_; ++unit) {
      sum += error_of(pair, unit).to(at::kDouble).item<double>();
    }
    return sum / static_cast<double>(units_ - training_);
  }

  void tune(const Pair& pair) const {
    const int block = pair.pass.block();
    const std::vector<Parameter> leaves = setup_.leaves(block);
    BlockResult result{block, evaluation_error(pair), 0};
    result.after = result.before;
    if (!leaves.empty()) optimize(pair, leaves, result);
    context_.log.info(fmt::format("block {}: relative error {:.3e} -> {:.3e}", block, result.before,
                                  result.after));
    advance(pair.pass);
    setup_.process_group->barrier();
    if (setup_.process_group->rank() == 0) {
      fs::create_directories(setup_.folder);
      save_block(block_file(setup_.folder, block), leaves, result);
    }
    setup_.process_group->barrier();
  }

  void optimize(const Pair& pair, const std::vector<Parameter>& leaves, BlockResult& result) const {
    AdamW optimizer(leaves, optimizer_options(options_));
    std::vector<at::Tensor> best = values_of(leaves);
    for (int64_t step = 0; step < options_.steps; ++step) {
      context_.stop.check("run the same command again to go on");
      one_step(pair, step, optimizer);
      if (step + 1 != options_.steps && (step + 1) % options_.eval_every != 0) continue;
      const double error = evaluation_error(pair);
      if (!(error < result.after)) continue;
      result.after = error;
      best = values_of(leaves);
    }
    restore(leaves, best);
    for (const Parameter& p : leaves) {
      at::Tensor leaf = p.leaf;
      leaf.mutable_grad() = at::Tensor();
      leaf.requires_grad_(false);
    }
  }

  void one_step(const Pair& pair, int64_t step, AdamW& optimizer) const {
    pair.pass.executor().train(true);
    optimizer.zero_gradients();
    const at::Tensor error =
        error_of(pair, step % training_) / static_cast<double>(setup_.process_group->size());
    torch::autograd::backward({error}, {});
    std::vector<at::Tensor> gradients;
    for (const Parameter& p : optimizer.parameters()) {
      if (p.leaf.grad().defined()) gradients.push_back(p.leaf.grad());
    }
    setup_.process_group->sum(gradients);
    const double norm = optimizer.clip_gradients().item<double>();
    if (!std::isfinite(norm)) {
      throw Error(
          fmt::format("gradient norm {} in step {} of block {}", norm, step + 1, pair.pass.block()),
          "finite numbers", "try a smaller --lr or a longer --warmup");
    }
    optimizer.step(step, options_.steps);
  }

  // The whole model over the evaluation samples, a block at a time.
  CurvePoint score(bool tuned, std::vector<BlockResult>* results = nullptr) const {
    const at::NoGradGuard no_gradients;
    const Runner &student = setup_.student, &teacher = setup_.teacher;
    const fs::path folder = folder_ / "score";
    fs::remove_all(folder);
    BlockWalk theirs = walk(teacher, folder / "float", training_, 0);
    BlockWalk ours = walk(student, folder / "quantized", training_, 0);
    const auto visit = [&](BlockPass& pass) {
      if (tuned) {
        const int block = pass.block();
        const auto leaves = setup_.leaves(block);
        results->push_back(load_block(block_file(setup_.folder, block), block, leaves));
      }
      advance(pass);
    };
    walk_blocks({{&theirs, [this](BlockPass& pass) { advance(pass); }}, {&ours, visit}});
    student.executor->load(kOutside), teacher.executor->load(kOutside);
    at::Tensor sums = no_sums(device());
    for (int64_t unit = training_; unit < units_; ++unit) {
      Hidden hidden = ours.hidden(unit - training_), expected = theirs.hidden(unit - training_);
      sums += chunked_loss(student, hidden, teacher, &expected, batch(unit).targets.to(device()),
                           setup_.task->positionwise(), parse_loss("kl"), false, 0);
    }
    student.executor->release(kOutside), teacher.executor->release(kOutside);
    fs::remove_all(folder);
    return mean_of(LossSums::read(sums), 0);
  }

  const BlockwiseSetup& setup_;
  const TrainerOptions& options_;
  Context& context_;
  const Topology& topology_;
  fs::path folder_;
  int64_t training_ = 0, units_ = 0;  // training batches first, evaluation behind them
};

}  // namespace

BlockwiseResult tune_blockwise(const BlockwiseSetup& setup, const TrainerOptions& options,
                               Context& context) {
  check_trainer(options);
  return BlockTuner(setup, options, context).run();
}

void load_tuned_blocks(const BlockwiseSetup& setup) {
  for (int block = 0; block < setup.student.model->topology().blocks; ++block) {
    load_block(block_file(setup.folder, block), block, setup.leaves(block));
  }
}

}  // namespace octet
