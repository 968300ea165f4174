// core/io: the pool, the ring, the journal and output files.
#include <atomic>
#include <future>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

#include "core/io/journal.h"
#include "core/io/output_file.h"
#include "core/io/pool.h"
#include "core/io/ring.h"
#include "core/io/stage_dir.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using testing::get;
using ::testing::HasSubstr;
using testing::put;
using testing::TempDir;

TEST(TaskPool, RunsEverythingAndKeepsTheOrderWhereAsked) {
  std::atomic<int> sum{0};
  std::vector<int> order;
  TaskPool pool(4);
  for (int i = 0; i < 1000; ++i) {
    pool.submit([&sum] { ++sum; });
    pool.submit_in_order([&order, i] { order.push_back(i); });
  }
  pool.drain();
  EXPECT_EQ(sum, 1000);
  ASSERT_EQ(order.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(TaskPool, AFailureDropsWhatHasNotBegun) {
  const auto held = std::make_shared<int>(0);
  std::promise<void> begun, go;
  std::atomic<int> ran{0};
  TaskPool pool(1);
  pool.submit([&begun, gate = go.get_future().share()] {
    begun.set_value();
    gate.wait();
    throw std::runtime_error("first");
  });
  begun.get_future().wait();
  for (int i = 0; i < 10; ++i) {
    pool.submit([held, &ran] { ++ran; });
    pool.submit_in_order([held, &ran] { ++ran; });
  }
  go.set_value();
  EXPECT_THROW(pool.drain(), std::runtime_error);
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(held.use_count(), 1) << "what dropped tasks held is free";
  pool.submit([&ran] { ++ran; });
  EXPECT_THROW(pool.check(), std::runtime_error);
  EXPECT_EQ(ran, 0);
}

TEST(TaskPool, EndsWithTasksLeft) {
  std::atomic<int> ran{0};
  {
    TaskPool pool(2);
    for (int i = 0; i < 100; ++i) pool.submit([&ran] { ++ran; });
  }
  EXPECT_LE(ran, 100);
}

TEST(BufferRing, LendsEachBufferUntilItsLastCopyGoes) {
  BufferRing ring(2, 100);
  BufferRing::Buffer a = ring.try_acquire();
  const BufferRing::Buffer b = ring.try_acquire();
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  EXPECT_NE(a, b);
  EXPECT_EQ(ring.try_acquire(), nullptr);
  const std::byte* place = a.get();
  BufferRing::Buffer copy = a;
  a.reset();
  EXPECT_EQ(ring.try_acquire(), nullptr);
  auto waiting = std::async(std::launch::async, [&ring] { return ring.acquire(); });
  copy.reset();
  EXPECT_EQ(waiting.get().get(), place);
}

TEST(BufferRing, BuffersOutliveIt) {
  BufferRing::Buffer buffer;
  {
    BufferRing ring(1, 1000);
    buffer = ring.acquire();
  }
  buffer.get()[999] = std::byte{1};
}

TEST(Journal, KeepsWholeLinesAndCutsOffATornOne) {
  const TempDir dir;
  {
    Journal journal(dir / "j");
    EXPECT_TRUE(journal.lines().empty());
    journal.append({"one", "two"});
    journal.append({"three"});
  }
  put(dir / "j", get(dir / "j") + "fo");
  {
    Journal journal(dir / "j");
    EXPECT_EQ(journal.lines(), (std::vector<std::string>{"one", "two", "three"}));
    EXPECT_EQ(get(dir / "j"), "one\ntwo\nthree\n");
    journal.keep(1);
    journal.append({"four"});
  }
  EXPECT_EQ(Journal(dir / "j").lines(), (std::vector<std::string>{"one", "four"}));
}

TEST(Journal, HasOneWriter) {
  const TempDir dir;
  const Journal journal(dir / "j");
  EXPECT_THAT(error_of([&] { Journal(dir / "j"); }), HasSubstr("in use by another process"));
}

TEST(StageDir, RemovesWhatAKillLeftHalfWritten) {
  const TempDir dir;
  { StageDir(dir / "out", {{"seed", 1}}); }
  put(dir / "out.partial" / "config.json.tmp.4711", "half");
  put(dir / "out.partial" / "whole", "kept");
  StageDir stage(dir / "out", {{"seed", 1}});
  EXPECT_FALSE(std::filesystem::exists(stage.path() / "config.json.tmp.4711"));
  EXPECT_EQ(get(stage.path() / "whole"), "kept");
}

TEST(OutputFile, IsFilledOverSeveralRuns) {
  const TempDir dir;
  const auto bytes = [](const std::string& text) { return std::as_bytes(std::span(text)); };
  const std::string front = "abc", back = "xyz";
  {
    const OutputFile file(dir / "f", 6);
    EXPECT_FALSE(file.resumed());
    file.write_at(3, bytes(back));
    file.sync();
  }
  {
    const OutputFile file(dir / "f", 6);
    EXPECT_TRUE(file.resumed());
    file.write_at(0, bytes(front));
  }
  EXPECT_EQ(get(dir / "f"), "abcxyz");
  EXPECT_FALSE(OutputFile(dir / "f", 7).resumed()) << "of another size: not the same file";
  EXPECT_GE(allocated_bytes(dir / "f"), 7U);
  EXPECT_EQ(allocated_bytes(dir / "none"), 0U);
}

TEST(OutputFile, SpaceIsAskedForBeforehand) {
  const TempDir dir;
  require_space(dir.path(), 1);
  const std::string message = error_of([&] { require_space(dir.path(), uint64_t{1} << 60); });
  EXPECT_THAT(message, HasSubstr("no space left for " + dir.path().string()));
  EXPECT_THAT(message, HasSubstr("expected 1152921504606.8 MB"));
}

}  // namespace
}  // namespace octet
