// The walk over blocks: whole run and walked run are the same bits, wherever hidden states lie and
// whenever the walk is killed.
#include "calib/block_walk.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "tests/calib/walked_models.h"
#include "tests/core/support.h"
#include "tests/device.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

uint64_t first_bytes(const Subject& subject, at::Device device) {
  const at::NoGradGuard no_gradients;
  Executor executor = subject.executor(device, false);
  executor.load(kOutside);
  const Batch batch = batch_on_device(subject.batch(0), device);
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : subject.model->begin(executor, batch, nullptr).tensors()) {
    bytes += tensor.nbytes();
  }
  return bytes;
}

/// Everything on the device, on the host, on disk; and one unit on the device, some on the host.
const std::vector<std::string> kPlacements = {"device", "host", "disk", "mixed"};
MemoryBudget budget(const std::string& placement, uint64_t unit) {
  constexpr uint64_t kAll = uint64_t{1} << 40;
  if (placement == "mixed") return {4 * unit, unit + unit / 8};
  return {placement == "host" ? kAll : 0, placement == "device" ? kAll : 0};
}

class Walked : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override { device_ = device_under_test(std::get<1>(GetParam())); }
  Subject subject() const { return Subject(std::get<0>(GetParam())); }
  WalkSetup setup(const Subject& subject, Executor& executor, const fs::path& folder) {
    WalkSetup made;
    made.model = subject.model.get(), made.executor = &executor, made.context = &context_;
    made.units = kUnits;
    made.batch = [&subject](int64_t unit) { return subject.batch(unit); };
    made.folder = folder;
    return made;
  }
  at::Device device_ = at::kCPU;
  Log log_{true};
  StopToken stop_;
  Context context_{log_, stop_};
};

TEST_P(Walked, EqualsWholeBitForBitWhereverHiddenLies) {
  const at::NoGradGuard no_gradients;
  const Subject s = subject();
  const Whole whole(s, device_);
  const uint64_t bytes = first_bytes(s, device_);
  for (const std::string& placement : kPlacements) {
    SCOPED_TRACE(placement);
    const testing::TempDir folder;
    Executor executor = s.executor(device_, false);
    WalkSetup made = setup(s, executor, folder / "hidden");
    made.budget = budget(placement, bytes);
    BlockWalk walk(made);
    Recorder seen;
    std::vector<int> blocks;
    walk_blocks({{&walk, [&](BlockPass& pass) {
                    EXPECT_TRUE(pass.executor().loaded(pass.block()));
                    blocks.push_back(pass.block());
                    pass.advance(&seen);
                  }}});
    EXPECT_EQ(blocks.size(), static_cast<size_t>(s.model->topology().blocks));
    expect_equal(seen, whole.seen);
    std::set<HiddenStore::Place> places;
    executor.load(kOutside);
    executor.observe(&seen);
    for (int64_t unit = 0; unit < kUnits; ++unit) {
      Hidden last = walk.hidden(unit);
      EXPECT_TRUE(at::equal(s.model->end(executor, last), whole.logits[unit])) << unit;
      places.insert(walk.place(unit));
    }
    EXPECT_EQ(places.size(), placement == "mixed" ? 3u : 1u);
    EXPECT_EQ(fs::exists(folder / "hidden"), placement == "disk" || placement == "mixed");
    EXPECT_FALSE(executor.loaded(0));
  }
}

struct Killed {};

/// Walks and dies at event number `last`; `finished` and `recorded` are what is durable.
struct Mortal {
  int64_t last = -1, events = 0;
  int finished = 0;
  std::map<int, Recorder> recorded;
  std::vector<int> visited;
  void event() {
    if (events++ == last) throw Killed();
  }
  void run(WalkSetup setup) {
    events = 0, visited.clear();
    setup.finished = finished;
    setup.batch = [this, batch = setup.batch](int64_t unit) {
      event();
      return batch(unit);
    };
    BlockWalk walk(setup);
    walk_blocks({{&walk, [&](BlockPass& pass) {
                    visited.push_back(pass.block());
                    Recorder seen;
                    if (pass.finished()) return pass.advance(&seen);
                    seen.event = [this] { event(); };
                    pass.advance(&seen);
                    event();
                    recorded[pass.block()] = std::move(seen);
                    finished = pass.block() + 1;
                    event();
                  }}});
  }
};

/// Events of a walk that is not killed.
int64_t all_events(WalkSetup setup) {
  Mortal mortal;
  mortal.run(std::move(setup));
  return mortal.events;
}

// Kills are spread over the whole walk; the last one comes behind its end and kills nothing.
TEST_P(Walked, GoesOnAfterAKillAtAnyMomentWithTheSameBits) {
  constexpr int64_t kMoments = 12;
  const Subject s = subject();
  const Whole whole(s, device_);
  const uint64_t bytes = first_bytes(s, device_);
  const testing::TempDir alone;
  Executor undisturbed = s.executor(device_, false);
  const int64_t events = all_events(setup(s, undisturbed, alone.path()));
  for (const std::string& placement : kPlacements) {
    SCOPED_TRACE(placement);
    bool killed = true;
    for (int64_t last = 0; killed; last += std::max<int64_t>(1, events / kMoments)) {
      const testing::TempDir folder;
      Executor executor = s.executor(device_, false);
      WalkSetup made = setup(s, executor, folder.path());
      made.budget = budget(placement, bytes);
      Mortal mortal;
      mortal.last = last, killed = false;
      try {
        mortal.run(made);
      } catch (const Killed&) {
        killed = true;
      }
      const int before = mortal.finished;
      mortal.last = -1;
      if (killed) mortal.run(made);
      Recorder all;
      for (auto& [block, seen] : mortal.recorded) {
        all.inputs.merge(seen.inputs), all.outputs.merge(seen.outputs);
      }
      expect_equal(all, whole.seen);
      if (!killed || before == s.model->topology().blocks) continue;
      ASSERT_FALSE(mortal.visited.empty());
      EXPECT_EQ(mortal.visited.front(), placement == "disk" ? before : 0) << "killed at " << last;
    }
  }
}

/// Weights times a factor that changes between two loads.
struct ScaledSource : WeightSource {
  explicit ScaledSource(std::shared_ptr<WeightSource> source) : base(std::move(source)) {}
  bool has(const std::string& name) const override { return base->has(name); }
  Weight get(const std::string& name) override {
    Weight weight = base->get(name);
    if (factor != 1) weight.dense = weight.dense * factor;
    return weight;
  }
  std::shared_ptr<WeightSource> base;
  double factor = 1;
};

TEST_P(Walked, ObservesOftenReloadsAndAdvancesOnce) {
  Subject s = subject();
  const Whole whole(s, device_);
  const auto scaled = std::make_shared<ScaledSource>(s.source);
  s.source = scaled;
  const testing::TempDir folder;
  Executor executor = s.executor(device_, false);
  BlockWalk walk(setup(s, executor, folder.path()));
  Recorder advanced;
  walk_blocks({{&walk, [&](BlockPass& pass) {
                  Recorder once, twice, two, other;
                  pass.observe(once), pass.observe(twice), pass.observe(two, 2);
                  expect_equal(twice, once);
                  for (const auto& [site, inputs] : two.inputs) EXPECT_EQ(inputs.size(), 2u);
                  scaled->factor = 2;
                  pass.reload();
                  pass.observe(other);
                  const auto& [site, outputs] = *once.outputs.begin();
                  EXPECT_FALSE(at::equal(other.outputs.at(site)[0], outputs[0]));
                  scaled->factor = 1;
                  pass.reload();
                  pass.advance(&advanced);
                  pass.advance(&advanced);  // all units are past this block
                }}});
  expect_equal(advanced, whole.seen);
}

TEST_P(Walked, SidesGoInLockstep) {
  const Subject s = subject();
  const testing::TempDir folder;
  Executor first = s.executor(device_, false), second = s.executor(device_, false);
  BlockWalk ahead(setup(s, first, folder / "first")), behind(setup(s, second, folder / "second"));
  int blocks = 0;
  walk_blocks({{&ahead, [](BlockPass& pass) { pass.advance(); }},
               {&behind, [&](BlockPass& pass) {
                  const at::NoGradGuard no_gradients;
                  EXPECT_FALSE(first.loaded(pass.block())) << "one block in memory at a time";
                  for (int64_t unit = 0; unit < kUnits; ++unit) {
                    const Hidden out = pass.run(unit), target = ahead.hidden(unit);
                    EXPECT_TRUE(
                        at::equal(out.delta.defined() ? out.x + out.delta : out.x, target.x));
                  }
                  pass.advance();
                  ++blocks;
                }}});
  EXPECT_EQ(blocks, s.model->topology().blocks);
}

std::string subject_name(const ::testing::TestParamInfo<Walked::ParamType>& info) {
  return std::get<0>(info.param);
}
INSTANTIATE_TEST_SUITE_P(Cpu, Walked,
                         ::testing::Combine(::testing::ValuesIn(kSubjects),
                                            ::testing::Values("cpu")),
                         subject_name);
INSTANTIATE_TEST_SUITE_P(Gpu, Walked,
                         ::testing::Combine(::testing::ValuesIn(kSubjects),
                                            ::testing::Values("cuda")),
                         subject_name);

TEST(BlockWalk, StopsBetweenUnits) {
  const Subject s("decoder");
  Log log(true);
  StopToken stop;
  Context context{log, stop};
  const testing::TempDir folder;
  Executor executor = s.executor(at::kCPU, false);
  WalkSetup made;
  made.model = s.model.get(), made.executor = &executor, made.context = &context;
  made.units = kUnits, made.folder = folder.path();
  int64_t asked = 0;
  made.batch = [&](int64_t unit) {
    if (++asked == 2) stop.request();
    return s.batch(unit);
  };
  BlockWalk walk(made);
  EXPECT_THROW(walk_blocks({{&walk, [](BlockPass& pass) { pass.advance(); }}}), Interrupted);
  EXPECT_EQ(asked, 2);
}

TEST(BlockWalk, RefusesAVisitThatDoesNotAdvance) {
  const Subject s("decoder");
  Log log(true);
  StopToken stop;
  Context context{log, stop};
  const testing::TempDir folder;
  Executor executor = s.executor(at::kCPU, false);
  WalkSetup made;
  made.model = s.model.get(), made.executor = &executor, made.context = &context;
  made.units = 1, made.folder = folder.path();
  made.batch = [&](int64_t unit) { return s.batch(unit); };
  BlockWalk walk(made);
  EXPECT_THROW(walk_blocks({{&walk, [](BlockPass&) {}}}), Error);
}

}  // namespace
}  // namespace octet::test
