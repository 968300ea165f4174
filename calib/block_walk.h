// The one loop over the blocks of a model: one block's weights are loaded at a time, and what
// passes between blocks is kept for every unit of samples. It knows no scheme and no statistic: the
// caller decides what happens in a block.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "core/context.h"
#include "models/run/hidden_store.h"
#include "models/run/model.h"

namespace octet {

/// The input of a walk. Units are numbered from 0; batch(unit) always gives the same batch.
struct WalkSetup {
  const Model* model = nullptr;
  Executor* executor = nullptr;  ///< with nothing loaded
  int64_t units = 0;
  std::function<Batch(int64_t unit)> batch;  ///< on any device
  std::filesystem::path folder;              ///< of this walk alone, for what goes to disk
  MemoryBudget budget;
  int finished = 0;            ///< blocks whose outcome an earlier start of this walk has recorded
  Context* context = nullptr;  ///< its stop request is seen before each unit
  Progress* progress = nullptr;  ///< or null; counts units: one step for the start and one a block
};

struct WalkSide;

/// The Hidden of every unit on its way through the blocks. After a kill, units whose Hidden was on
/// disk resume after the last finished block; the others start over and run through the finished
/// blocks again (BlockPass::finished). The results are the same bits.
class BlockWalk {
 public:
  explicit BlockWalk(WalkSetup setup);
  /// What stands before the block that comes next for this unit (behind the last one: what
  /// Model::end takes), on the device.
  Hidden hidden(int64_t unit) const { return hidden_.get(unit); }
  HiddenStore::Place place(int64_t unit) const { return hidden_.place(unit); }

 private:
  friend class BlockPass;
  friend void walk_blocks(const std::vector<WalkSide>& sides);
  void begin();
  int next() const;  ///< the first block that a unit has yet to pass
  void step(int64_t unit, int block, bool keep);
  WalkSetup setup_;
  HiddenStore hidden_;
};

/// One block of a walk, loaded for the lifetime of this object.
class BlockPass {
 public:
  BlockPass(BlockWalk& walk, int block);
  ~BlockPass();
  BlockPass(const BlockPass&) = delete;
  BlockPass& operator=(const BlockPass&) = delete;
  int block() const { return block_; }
  /// True where an earlier start has recorded this block: only units whose Hidden a kill lost are
  /// here. Put back what was decided then, and advance as then (observed, if it was: on a GPU that
  /// runs other kernels, and gives other bits).
  bool finished() const { return block_ < walk_.setup_.finished; }
  Executor& executor() { return *walk_.setup_.executor; }
  /// Reads the weights again from their source, e.g. after a fold.
  void reload();
  /// Runs the first `units` units (-1: all) and drops their outputs; as often as needed.
  void observe(SiteObserver& observer, int64_t units = -1);
  /// The block's output for one unit, not kept; differentiable where gradients are on.
  Hidden run(int64_t unit);
  /// Runs all units; their outputs become the inputs of the next block. Once.
  void advance(SiteObserver* observer = nullptr);

 private:
  void run_units(SiteObserver* observer, int64_t units, bool keep);
  BlockWalk& walk_;
  int block_;
};

/// A walk and what is done in each of its blocks. `visit` advances, except in the last block where
/// the outputs serve nobody. What it decides is recorded durably before it returns: behind it the
/// inputs of the block are given up. Where several processes walk together, those that lost nothing
/// skip finished blocks: there `visit` must not wait for others.
struct WalkSide {
  BlockWalk* walk;
  std::function<void(BlockPass& pass)> visit;
};

/// Block after block, and in each side after side (of models with as many blocks): a side sees what
/// those before it have made of the block. Does nothing if all blocks are finished. Interrupted
/// when a stop was requested.
void walk_blocks(const std::vector<WalkSide>& sides);

}  // namespace octet
