// Where hidden states lie, what is written again, and what a restart finds.
#include "models/run/hidden_store.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/core/support.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

Hidden hidden(double value, bool delta = true) {
  Hidden made;
  made.x = at::full({2, 3, 4}, value);
  if (delta) made.delta = at::full({2, 3, 4}, 0.25);
  made.memory = at::full({2, 5, 4}, -value);
  made.batch.mask = at::ones({2, 5}, at::kBool);
  return made;
}

constexpr uint64_t kBytes = 4 * (2 * 3 * 4 + 2 * 5 * 4) + 2 * 5;  // of one, summed

TEST(HiddenStore, FillsDeviceThenHostThenDisk) {
  const testing::TempDir folder;
  HiddenStore store(folder / "hidden", at::kCPU, {kBytes + 1, 2 * kBytes});
  for (int64_t unit = 0; unit < 5; ++unit) {
    store.put(unit, 0, hidden(static_cast<double>(unit)));
  }
  using Place = HiddenStore::Place;
  const Place expected[] = {Place::kDevice, Place::kDevice, Place::kHost, Place::kDisk,
                            Place::kDisk};
  for (int64_t unit = 0; unit < 5; ++unit) {
    EXPECT_EQ(store.place(unit), expected[unit]) << unit;
    const Hidden got = store.get(unit), put = hidden(static_cast<double>(unit));
    EXPECT_TRUE(at::equal(got.x, put.x + put.delta));
    EXPECT_FALSE(got.delta.defined()) << "kept as the sum";
    EXPECT_TRUE(at::equal(got.memory, put.memory));
    EXPECT_TRUE(at::equal(got.batch.mask, put.batch.mask));
    EXPECT_FALSE(got.rotary.defined());
  }
  EXPECT_TRUE(fs::exists(folder / "hidden/stream-0-3.safetensors"));
  EXPECT_FALSE(fs::exists(folder / "hidden/stream-0-2.safetensors"));
}

TEST(HiddenStore, WritesOnlyWhatTheBlockChanged) {
  const testing::TempDir folder;
  HiddenStore store(folder.path(), at::kCPU, {});
  store.put(7, 0, hidden(1));
  const Hidden before = store.get(7);
  Hidden after = before;
  after.x = before.x * 2;
  store.put(7, 1, after, before);
  EXPECT_TRUE(fs::exists(folder / "stream-1-7.safetensors"));
  EXPECT_FALSE(fs::exists(folder / "rest-1-7.safetensors")) << "nothing else has changed";
  EXPECT_TRUE(fs::exists(folder / "stream-0-7.safetensors")) << "until it is given up";
  store.remove_replaced();
  EXPECT_FALSE(fs::exists(folder / "stream-0-7.safetensors"));
  EXPECT_TRUE(fs::exists(folder / "rest-0-7.safetensors"));
  const Hidden middle = store.get(7);
  Hidden swapped = middle;
  std::swap(swapped.x, swapped.memory);
  store.put(7, 2, swapped, middle);
  store.remove_replaced();
  EXPECT_TRUE(fs::exists(folder / "rest-2-7.safetensors"));
  EXPECT_FALSE(fs::exists(folder / "rest-0-7.safetensors"));
  EXPECT_TRUE(at::equal(store.get(7).memory, at::full({2, 3, 4}, 2.5)));
  EXPECT_TRUE(at::equal(store.get(7).batch.mask, hidden(1).batch.mask));
}

TEST(HiddenStore, RecoversWhatIsWholeOnDisk) {
  const testing::TempDir folder;
  const auto fresh = [&] { return HiddenStore(folder.path(), at::kCPU, {}); };
  HiddenStore store = fresh();
  store.put(0, 0, hidden(1));
  const Hidden before = store.get(0);
  Hidden after = before;
  after.x = before.x + 1;
  store.put(0, 1, after, before);
  Hidden plain;
  plain.x = at::ones({1, 2, 3});
  store.put(1, 1, plain);
  for (const int block : {1, 0}) {
    HiddenStore again = fresh();
    ASSERT_TRUE(again.recover(0, block)) << block;
    EXPECT_EQ(again.block(0), block);
    EXPECT_TRUE(at::equal(again.get(0).x, block == 0 ? before.x : after.x));
    EXPECT_TRUE(at::equal(again.get(0).memory, before.memory));
    EXPECT_FALSE(again.recover(0, 2));
    EXPECT_FALSE(again.recover(2, 1));
    if (block == 1) store.put(0, 0, hidden(1));  // recover() gave up the earlier one
  }
  HiddenStore again = fresh();
  ASSERT_TRUE(again.recover(1, 1)) << "nothing beside the stream";
  EXPECT_TRUE(at::equal(again.get(1).x, plain.x));
  testing::put(folder / "stream-1-1.safetensors", "torn");
  EXPECT_FALSE(fresh().recover(1, 1));
  fs::remove(folder / "rest-0-0.safetensors");
  EXPECT_FALSE(fresh().recover(0, 1)) << "the memory is gone";
}

TEST(HiddenStore, BudgetIsAShareOfWhatIsFree) {
  const MemoryBudget alone = memory_budget(at::kCPU), four = memory_budget(at::kCPU, 4);
  EXPECT_GT(alone.host, 0u);
  EXPECT_EQ(alone.device, 0u) << "a CPU's memory is the host's";
  EXPECT_LT(four.host, alone.host / 2);
}

}  // namespace
}  // namespace octet::test
