#include "calib/block_walk.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace octet {
namespace {

// Weights of a block, as long as it lives.
class Loaded {
 public:
  Loaded(Executor& executor, int block) : executor_(executor), block_(block) {
    executor.load(block);
  }
  ~Loaded() { executor_.release(block_); }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

 private:
  Executor& executor_;
  int block_;
};

class Observing {
 public:
  Observing(Executor& executor, SiteObserver* observer) : executor_(executor) {
    executor.observe(observer);
  }
  ~Observing() { executor_.observe(nullptr); }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  Executor& executor_;
};

}  // namespace

BlockWalk::BlockWalk(WalkSetup setup)
    : setup_(std::move(setup)),
      hidden_(setup_.folder, setup_.executor->options().device, setup_.budget) {}

void BlockWalk::begin() {
  std::vector<int64_t> lost;
  for (int64_t unit = 0; unit < setup_.units; ++unit) {
    if (!hidden_.recover(unit, setup_.finished)) {
      lost.push_back(unit);
    } else if (setup_.progress != nullptr) {
      setup_.progress->advance(setup_.finished + 1, true);
    }
  }
  if (lost.empty()) return;
  const at::NoGradGuard no_gradients;
  const Loaded tables(*setup_.executor, kOutside);
  for (const int64_t unit : lost) {
    setup_.context->stop.check("run the same command again to go on");
    const Batch batch = batch_on_device(setup_.batch(unit), setup_.executor->options().device);
    hidden_.put(unit, 0, setup_.model->begin(*setup_.executor, batch, nullptr));
    if (setup_.progress != nullptr) setup_.progress->advance();
  }
}

int BlockWalk::next() const {
  if (setup_.units == 0) return setup_.finished;
  int least = hidden_.block(0);
  for (int64_t unit = 1; unit < setup_.units; ++unit) {
    least = std::min(least, hidden_.block(unit));
  }
  return least;
}

void BlockWalk::step(int64_t unit, int block, bool keep) {
  setup_.context->stop.check("run the same command again to go on");
  const Hidden before = hidden_.get(unit);
  Hidden hidden = before;
  setup_.model->block(*setup_.executor, block, hidden, nullptr);
  if (keep) hidden_.put(unit, block + 1, hidden, before);
  if (setup_.progress != nullptr) setup_.progress->advance();
}

BlockPass::BlockPass(BlockWalk& walk, int block) : walk_(walk), block_(block) {
  executor().load(block);
}

BlockPass::~BlockPass() {
  executor().release(block_);
}

void BlockPass::reload() {
  executor().release(block_);
  executor().load(block_);
}

void BlockPass::run_units(SiteObserver* observer, int64_t units, bool keep) {
  const at::NoGradGuard no_gradients;
  const Observing observing(executor(), observer);
  for (int64_t unit = 0; unit < units; ++unit) {
    if (walk_.hidden_.block(unit) == block_) walk_.step(unit, block_, keep);
  }
}

void BlockPass::observe(SiteObserver& observer, int64_t units) {
  const int64_t all = walk_.setup_.units;
  run_units(&observer, units < 0 ? all : std::min(units, all), false);
}

Hidden BlockPass::run(int64_t unit) {
  Hidden hidden = walk_.hidden_.get(unit);
  walk_.setup_.model->block(executor(), block_, hidden, nullptr);
  return hidden;
}

void BlockPass::advance(SiteObserver* observer) {
  run_units(observer, walk_.setup_.units, true);
}

void walk_blocks(const std::vector<WalkSide>& sides) {
  const auto blocks = [](const WalkSide& side) {
    return side.walk->setup_.model->topology().blocks;
  };
  int first = blocks(sides.at(0));
  for (const WalkSide& side : sides) {
    if (side.walk->setup_.finished >= blocks(side)) return;
    side.walk->begin();
    first = std::min(first, side.walk->next());
  }
  for (int block = first; block < blocks(sides[0]); ++block) {
    for (const WalkSide& side : sides) {
      if (block < side.walk->next()) continue;
      BlockPass pass(*side.walk, block);
      side.visit(pass);
      const bool last = block + 1 == blocks(side);
      if (!last && side.walk->setup_.units > 0 && side.walk->next() <= block) {
        throw Error(fmt::format("a visit of block {} that did not advance", block),
                    "advance() before the next block",
                    "this is a defect in octet: please report it");
      }
    }
    for (const WalkSide& side : sides) side.walk->hidden_.remove_replaced();
  }
}

}  // namespace octet
