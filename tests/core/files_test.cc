#include "core/io/atomic_file.h"
#include "core/io/input_file.h"
#include "core/io/stage_dir.h"

#include <sys/mount.h>

#include <nlohmann/json.hpp>

#include "core/containers/hdf5.h"
#include "core/containers/safetensors.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using testing::get;
using ::testing::HasSubstr;
using testing::put;
using testing::TempDir;

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  const TempDir dir;
  put(dir / "a", "before");
  {
    AtomicFile file(dir / "a");
    file.write(std::string("after"));
    EXPECT_EQ(get(dir / "a"), "before");
  }
  EXPECT_EQ(get(dir / "a"), "before");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(AtomicFile, CommitReplacesWhole) {
  const TempDir dir;
  put(dir / "a", "before");
  AtomicFile file(dir / "a");
  file.write(std::string("abcdef"));
  file.write_at(2, std::as_bytes(std::span("XY", 2)));
  file.write(std::string("g"));
  file.commit();
  EXPECT_EQ(get(dir / "a"), "abXYefg");
  EXPECT_FALSE(std::filesystem::exists(file.temporary()));
  EXPECT_THAT(error_of([&] { AtomicFile(dir / "no/a"); }), HasSubstr("no/a"));
}

TEST(InputFile, ReadsAndRefuses) {
  const TempDir dir;
  put(dir / "a", "abcdef");
  const InputFile file(dir / "a");
  EXPECT_EQ(file.size(), 6U);
  std::string out(3, 0);
  file.read_at(2, std::as_writable_bytes(std::span(out)));
  EXPECT_EQ(out, "cde");
  EXPECT_THAT(error_of([&] { file.read_at(4, std::as_writable_bytes(std::span(out))); }),
              HasSubstr("truncated"));
  EXPECT_THAT(error_of([&] { InputFile(dir.path()); }), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([&] { InputFile(dir / "b"); }), HasSubstr("No such file"));
  EXPECT_THAT(error_of([&] { read_file(dir / "a", 5); }), HasSubstr("at most 5 bytes"));
}

TEST(StageDir, ResumesAndCommits) {
  const TempDir dir;
  const nlohmann::json key = {{"seed", 1}, {"model", {{"size", 7}}}};
  {
    StageDir stage(dir / "out", key);
    EXPECT_FALSE(stage.complete());
    EXPECT_EQ(stage.path(), dir / "out.partial");
    stage.finish("layer 0");
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "out"));
  {
    StageDir stage(dir / "out", key);
    EXPECT_TRUE(stage.has("layer 0"));
    EXPECT_FALSE(stage.has("layer 1"));
    put(stage.path() / "data", "x");
    stage.commit();
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "out.partial"));
  EXPECT_EQ(get(dir / "out" / "data"), "x");
  EXPECT_TRUE(StageDir(dir / "out", key).complete());
}

TEST(StageDir, RefusesOtherKeysAndFolders) {
  const TempDir dir;
  { StageDir stage(dir / "out", {{"seed", 1}, {"bits", 8}}); }
  EXPECT_THAT(error_of([&] {
                StageDir(dir / "out", {{"seed", 2}, {"bits", 8}});
              }),
              HasSubstr("/seed: 1 (now 2)"));
  std::filesystem::create_directory(dir / "mine");
  EXPECT_THAT(error_of([&] { StageDir(dir / "mine", {}); }),
              HasSubstr("was not written by this command"));
  put(dir / "out.partial" / "octet-manifest.json", R"({"version":99})");
  EXPECT_THAT(error_of([&] { StageDir(dir / "out", {}); }), HasSubstr("manifest version 99"));
}

TEST(FullDisk, IsAnErrorAndLeavesNothing) {
  const TempDir dir;
  if (::mount("none", dir.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "mounting a small tmpfs needs root: " << std::strerror(errno);
  }
  const std::vector<float> values(100'000, 1.0F);
  EXPECT_THAT(error_of([&] {
                SafetensorsWriter(dir / "a", {{"x", Dtype::kF32, {100'000}}});
              }),
              HasSubstr("no space left"));
  EXPECT_THAT(error_of([&] { write_file(dir / "b", std::string(400'000, 'x')); }),
              HasSubstr("no space left"));
  error_of([&] {
    Hdf5Writer out(dir / "c");
    out.dataset("/x", values, {100'000});
    out.commit();
  });
  EXPECT_TRUE(dir.empty());
  ::umount(dir.path().c_str());
}

}  // namespace
}  // namespace octet
