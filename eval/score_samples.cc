#include "eval/score_samples.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>

#include "models/run/device.h"

namespace octet {
namespace {

// One model in the midst of a batch: all blocks are run, logits are made as they are asked for.
class Pass {
 public:
  Pass(LoadedModel& model, const Batch& batch) : model_(model) {
    timed([&] {
      const at::Device device = model.executor->options().device;
      hidden_ = model.model->begin(*model.executor, batch_on_device(batch, device), nullptr);
      for (int i = 0; i < model.model->topology().blocks; ++i)
        model.model->block(*model.executor, i, hidden_, nullptr);
    });
  }

  // Logits [B, count, V] from position `first` on; all of them where `all`.
  at::Tensor logits(int64_t first, int64_t count, bool all) {
    at::Tensor out;
    timed([&] {
      if (all) {
        out = model_.model->end(*model_.executor, hidden_);
      } else {
        Hidden part;
        part.x = hidden_.x.narrow(1, first, count).contiguous();
        if (hidden_.delta.defined())
          part.delta = hidden_.delta.narrow(1, first, count).contiguous();
        out = model_.model->end(*model_.executor, part);
      }
    });
    return out.dim() == 2 ? out.unsqueeze(1) : out;
  }

  double seconds() const { return seconds_; }

 private:
  template <class Work>
  void timed(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    synchronize(model_.executor->options().device);
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  LoadedModel& model_;
  Hidden hidden_;
  double seconds_ = 0;
};

int64_t classes(const Model& model) {
  int64_t most = 1;
  for (const Site& site : model.topology().sites) {
    if (site.block == kOutside) most = std::max(most, site.n());
  }
  return most;
}

// Places of a row's targets, and the targets.
struct Scored {
  std::vector<int64_t> places, targets;
  explicit Scored(const at::Tensor& row) {
    const int64_t* target = row.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < row.size(0); ++i) {
      if (target[i] == kNoTarget) continue;
      places.push_back(i);
      targets.push_back(target[i]);
    }
  }
  // A view where the places follow each other.
  at::Tensor rows(const at::Tensor& logits) const {
    const auto count = std::ssize(places);
    if (places.back() - places.front() + 1 == count) return logits.narrow(0, places.front(), count);
    return logits.index_select(0, at::tensor(places, at::kLong).to(logits.device()));
  }
};

void append(WindowScores& all, const WindowScores& more) {
  const auto join = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  join(all.nll, more.nll);
  join(all.ref_nll, more.ref_nll);
  join(all.kl, more.kl);
  join(all.same_top1, more.same_top1);
}

void score_rows(const at::Tensor& logits, const at::Tensor& expected, const at::Tensor& targets,
                std::vector<WindowScores>& out) {
  for (int64_t r = 0; r < targets.size(0); ++r) {
    const Scored scored(targets[r]);
    if (scored.places.empty()) continue;
    append(out[static_cast<size_t>(r)],
           score_positions(scored.rows(logits[r]), scored.targets,
                           expected.defined() ? scored.rows(expected[r]) : at::Tensor()));
  }
}

}  // namespace

std::vector<ScoredBatch> score_batch(const std::vector<LoadedModel*>& models,
                                     LoadedModel* reference, const TaskBatch& batch,
                                     bool positionwise, int64_t bytes) {
  const at::NoGradGuard no_gradients;
  const at::Tensor targets =
      (batch.targets.dim() == 1 ? batch.targets.unsqueeze(1) : batch.targets).contiguous();
  const int64_t rows = targets.size(0), length = targets.size(1);
  std::vector<Pass> passes;  // of each model, and behind them the reference's if it is none of them
  for (LoadedModel* model : models) passes.emplace_back(*model, batch.inputs);
  const auto found =
      static_cast<size_t>(std::find(models.begin(), models.end(), reference) - models.begin());
  if (reference != nullptr && found == models.size()) passes.emplace_back(*reference, batch.inputs);
  const int64_t fitting = bytes / (4 * rows * classes(*models.front()->model));
  const int64_t step = positionwise ? std::clamp<int64_t>(fitting, 1, length) : length;
  std::vector<ScoredBatch> out(models.size());
  for (ScoredBatch& scored : out) scored.samples.resize(static_cast<size_t>(rows));
  for (int64_t first = 0; first < length; first += step) {
    const int64_t count = std::min(step, length - first);
    const at::Tensor wanted = targets.narrow(1, first, count).contiguous();
    const auto logits = [&](size_t m) { return passes[m].logits(first, count, step == length); };
    const at::Tensor expected = reference == nullptr ? at::Tensor() : logits(found);
    for (size_t m = 0; m < models.size(); ++m) {
      const bool itself = reference != nullptr && m == found;
      score_rows(itself ? expected : logits(m), expected, wanted, out[m].samples);
    }
  }
  for (size_t m = 0; m < models.size(); ++m) out[m].seconds = passes[m].seconds();
  return out;
}

}  // namespace octet
