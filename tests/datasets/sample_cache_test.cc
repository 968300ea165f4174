#include "datasets/sample_cache.h"

#include "core/containers/hdf5.h"
#include "tests/core/support.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempDir;

class SampleCache : public ::testing::Test {
 protected:
  static PreparedSamples samples() {
    PreparedSamples made;
    made.source.add(std::vector<int64_t>{5, 6, 7});
    made.source.add(std::vector<int64_t>{});
    made.target.add(std::vector<int64_t>{8});
    made.target.add(std::vector<int64_t>{9, 10});
    return made;
  }
  PreparedSamples get(const SampleKey& key, Log* log = nullptr) {
    return cached_samples(
        dir_ / "cache", key,
        [this] {
          ++made_;
          return samples();
        },
        log);
  }
  fs::path file(const SampleKey& key) const { return dir_ / "cache" / (key.hash() + ".h5"); }

  // A damaged file is made again, says so, and is then whole.
  void expect_remade(const std::string& said) {
    const int before = made_;
    ::testing::internal::CaptureStderr();
    {
      Log log;
      EXPECT_EQ(get(kKey, &log), samples());
    }
    const std::string line = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(made_, before + 1);
    EXPECT_THAT(line, HasSubstr(".h5 is made again: "));
    EXPECT_THAT(line, HasSubstr(said));
    EXPECT_EQ(get(kKey), samples());
    EXPECT_EQ(made_, before + 1);
  }

  const SampleKey kKey{"c0", "70", 64};
  TempDir dir_;
  int made_ = 0;
};

TEST_F(SampleCache, SamplesAreMadeOnce) {
  EXPECT_EQ(get(kKey), samples());
  const PreparedSamples again = get(kKey);
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(again, samples());
  EXPECT_THAT(again.source[0], ElementsAre(5, 6, 7));
  EXPECT_THAT(again.source[1], IsEmpty());
  EXPECT_THAT(again.target[1], ElementsAre(9, 10));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_ / "cache"), {}), 1);
}

TEST_F(SampleCache, EachPartOfTheKeyCounts) {
  get(kKey);
  get({"c1", "70", 64});
  get({"c0", "71", 64});
  get({"c0", "70", 65});
  EXPECT_EQ(made_, 4);
  get({"c0", "70", 65});
  EXPECT_EQ(made_, 4);
}

TEST_F(SampleCache, DamageIsRepaired) {
  get(kKey);
  const std::string whole = testing::get(file(kKey));
  testing::put(file(kKey), "");
  expect_remade("");
  testing::put(file(kKey), whole.substr(0, whole.size() / 2));
  expect_remade("");
  std::string wrong = whole;  // an id, which the dataset's checksum does not fit then
  const size_t at = wrong.find(std::string("\x05\0\0\0\0\0\0\0\x06", 9));
  ASSERT_NE(at, std::string::npos);
  wrong[at] = 4;
  testing::put(file(kKey), wrong);
  expect_remade("");
}

TEST_F(SampleCache, OtherFilesAreMadeAgain) {
  get(kKey);
  get({"other", "70", 64});
  fs::copy_file(file({"other", "70", 64}), file(kKey), fs::copy_options::overwrite_existing);
  expect_remade("another key");
  const auto write = [&](int64_t version, const std::vector<int64_t>& offsets) {
    Hdf5Writer out(file(kKey));
    out.attribute("/", "format", std::string("octet-samples"));
    out.attribute("/", "version", version);
    out.attribute("/", "content", kKey.content);
    out.attribute("/", "tokenizer", kKey.tokenizer);
    out.attribute("/", "length", kKey.length);
    for (const std::string group : {"/source", "/target"}) {
      out.dataset(group + "/ids", std::vector<int64_t>{1, 2, 3}, {3});
      out.dataset(group + "/offsets", offsets, {std::ssize(offsets)});
    }
    out.commit();
  };
  write(1, {0, 3});
  EXPECT_EQ(get(kKey).source.size(), 1);
  write(2, {0, 3});
  expect_remade("version 2");
  for (const auto& offsets :
       std::vector<std::vector<int64_t>>{{0, 2}, {1, 3}, {0, 4, 3}, {}, {0, -1, 3}}) {
    write(1, offsets);
    expect_remade("offsets that do not divide 3 ids");
  }
}

TEST_F(SampleCache, AFolderThatCannotBeWrittenCostsAWarning) {
  testing::put(dir_ / "cache", "a file in the way");
  ::testing::internal::CaptureStderr();
  {
    Log log;
    EXPECT_EQ(get(kKey, &log), samples());
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("samples are not cached: "));
}

}  // namespace
}  // namespace octet
