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
#include "models/run/hidden_spill.h"

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

class Walk {
 public:
  Walk(const BlockwiseSetup& setup, const TrainerOptions& options, Context& context)
      : setup_(setup),
        options_(options),
        context_(context),
        topology_(setup.student.model->topology()),
        folder_(setup.folder / fmt::format("rank-{}", setup.process_group->rank())),
        float_(folder_ / "float"),
        quantized_(folder_ / "quantized") {
    for (const char* side : {"float", "quantized"}) fs::create_directories(folder_ / side);
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
    Progress progress(context_.log, "tune", topology_.blocks);
    if (done > 0) progress.advance(done, true);
    if (done == 0) begin();
    for (int block = done; block < topology_.blocks; ++block) {
      tune(block);
      progress.advance();
    }
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

  Hidden begin_unit(const Runner& runner, int64_t unit) const {
    return runner.model->begin(*runner.executor, batch_on_device(batch(unit).inputs, device()),
                               nullptr);
  }

  // What is read before the first block is no part of it.
  void begin() const {
    const at::NoGradGuard no_gradients;
    setup_.student.executor->load(kOutside);
    for (int64_t unit = 0; unit < units_; ++unit) {
      const Hidden hidden = begin_unit(setup_.student, unit);
      quantized_.write(0, unit, hidden);
      float_.write(0, unit, hidden);
    }
    setup_.student.executor->release(kOutside);
  }

  void run_block(const Runner& runner, int block, Hidden& hidden) const {
    const Autocast autocast(device(), options_.precision == "bfloat16");
    runner.model->block(*runner.executor, block, hidden, nullptr);
  }

  void pass_on(const Runner& runner, const HiddenSpill& spill, int block) const {
    const at::NoGradGuard no_gradients;
    runner.executor->train(false);
    for (int64_t unit = 0; unit < units_; ++unit) {
      context_.stop.check("run the same command again to go on");
      Hidden hidden = spill.read(block, unit, device());
      run_block(runner, block, hidden);
      spill.write(block + 1, unit, hidden);
    }
  }

  at::Tensor error_of(int block, int64_t unit) const {
    Hidden hidden = quantized_.read(block, unit, device());
    run_block(setup_.student, block, hidden);
    return block_error(topology_, block, hidden, float_.read(block + 1, unit, device()));
  }

  double evaluation_error(int block) const {
    const at::NoGradGuard no_gradients;
    setup_.student.executor->train(false);
    double sum = 0;
    for (int64_t unit = training_; unit < units_; ++unit) {
      sum += error_of(block, unit).to(at::kDouble).item<double>();
    }
    return sum / static_cast<double>(units_ - training_);
  }

  void tune(int block) const {
    setup_.teacher.executor->load(block);
    pass_on(setup_.teacher, float_, block);
    setup_.teacher.executor->release(block);
    setup_.student.executor->load(block);
    const std::vector<Parameter> leaves = setup_.leaves(block);
    BlockResult result{block, evaluation_error(block), 0};
    result.after = result.before;
    if (!leaves.empty()) optimize(block, leaves, result);
    context_.log.info(fmt::format("block {}: relative error {:.3e} -> {:.3e}", block, result.before,
                                  result.after));
    pass_on(setup_.student, quantized_, block);
    setup_.process_group->barrier();
    if (setup_.process_group->rank() == 0) {
      save_block(block_file(setup_.folder, block), leaves, result);
    }
    setup_.process_group->barrier();
    setup_.student.executor->release(block);
    for (int64_t unit = 0; unit < units_; ++unit) {
      quantized_.remove(block, unit), float_.remove(block, unit);
    }
  }

  void optimize(int block, const std::vector<Parameter>& leaves, BlockResult& result) const {
    AdamW optimizer(leaves, optimizer_options(options_));
    std::vector<at::Tensor> best = values_of(leaves);
    for (int64_t step = 0; step < options_.steps; ++step) {
      context_.stop.check("run the same command again to go on");
      one_step(block, step, optimizer);
      if (step + 1 != options_.steps && (step + 1) % options_.eval_every != 0) continue;
      const double error = evaluation_error(block);
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

  void one_step(int block, int64_t step, AdamW& optimizer) const {
    setup_.student.executor->train(true);
    optimizer.zero_gradients();
    const at::Tensor error =
        error_of(block, step % training_) / static_cast<double>(setup_.process_group->size());
    torch::autograd::backward({error}, {});
    std::vector<at::Tensor> gradients;
    for (const Parameter& p : optimizer.parameters()) {
      if (p.leaf.grad().defined()) gradients.push_back(p.leaf.grad());
    }
    setup_.process_group->sum(gradients);
    const double norm = optimizer.clip_gradients().item<double>();
    if (!std::isfinite(norm)) {
      throw Error(fmt::format("gradient norm {} in step {} of block {}", norm, step + 1, block),
                  "finite numbers", "try a smaller --lr or a longer --warmup");
    }
    optimizer.step(step, options_.steps);
  }

  // The whole model over the evaluation samples, a block at a time.
  CurvePoint score(bool tuned, std::vector<BlockResult>* results = nullptr) const {
    const at::NoGradGuard no_gradients;
    const Runner &student = setup_.student, &teacher = setup_.teacher;
    for (const Runner& runner : {student, teacher}) {
      runner.executor->train(false);
      runner.executor->load(kOutside);
    }
    std::vector<Hidden> ours, theirs;
    for (int64_t unit = training_; unit < units_; ++unit) {
      ours.push_back(begin_unit(student, unit));
      theirs.push_back(begin_unit(teacher, unit));
    }
    for (int block = 0; block < topology_.blocks; ++block) {
      student.executor->load(block), teacher.executor->load(block);
      if (tuned) {
        const auto leaves = setup_.leaves(block);
        results->push_back(load_block(block_file(setup_.folder, block), block, leaves));
      }
      for (Hidden& hidden : ours) run_block(student, block, hidden);
      for (Hidden& hidden : theirs) run_block(teacher, block, hidden);
      student.executor->release(block), teacher.executor->release(block);
    }
    at::Tensor sums = no_sums(device());
    for (size_t i = 0; i < ours.size(); ++i) {
      const auto unit = training_ + static_cast<int64_t>(i);
      sums += chunked_loss(student, ours[i], teacher, &theirs[i], batch(unit).targets.to(device()),
                           setup_.task->positionwise(), parse_loss("kl"), false, 0);
    }
    student.executor->release(kOutside), teacher.executor->release(kOutside);
    return mean_of(LossSums::read(sums), 0);
  }

  const BlockwiseSetup& setup_;
  const TrainerOptions& options_;
  Context& context_;
  const Topology& topology_;
  fs::path folder_;
  HiddenSpill float_, quantized_;
  int64_t training_ = 0, units_ = 0;  // training batches first, evaluation behind them
};

}  // namespace

BlockwiseResult tune_blockwise(const BlockwiseSetup& setup, const TrainerOptions& options,
                               Context& context) {
  check_trainer(options);
  return Walk(setup, options, context).run();
}

void load_tuned_blocks(const BlockwiseSetup& setup) {
  for (int block = 0; block < setup.student.model->topology().blocks; ++block) {
    load_block(block_file(setup.folder, block), block, setup.leaves(block));
  }
}

}  // namespace octet
