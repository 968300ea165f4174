#include "datasets/identity.h"

#include <nlohmann/json.hpp>

#include "core/io/file_identity.h"
#include "tests/core/support.h"
#include "tests/datasets/mo_builder.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::put;
using testing::TempDir;

class Identity : public ::testing::Test {
 protected:
  void add(const std::string& name) const {
    fs::create_directories((dir_ / name).parent_path());
    put(dir_ / name, "x");
  }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  // The identity of `data` changes when `name` does.
  void expect_seen(const std::string& data, const std::string& name, bool seen = true) const {
    const json before = data_identity(data, Split::kTrain);
    EXPECT_EQ(data_identity(data, Split::kTrain), before);
    put(dir_ / name, testing::get(dir_ / name) + "y");
    EXPECT_EQ(data_identity(data, Split::kTrain) != before, seen) << data << " " << name;
  }
  TempDir dir_;
};

TEST_F(Identity, OneFileIsSaidAsBefore) {
  add("a.txt");
  EXPECT_EQ(data_identity(path("a.txt"), Split::kTrain), file_identity(path("a.txt")));
  EXPECT_EQ(data_identity("jsonl:" + path("a.txt"), Split::kTest), file_identity(path("a.txt")));
}

TEST_F(Identity, EveryFileOfEveryKindCounts) {
  for (const char* name :
       {"a", "b", "c", "de/LC_MESSAGES/x.mo", "de_DE/LC_MESSAGES/y.mo", "fr/LC_MESSAGES/x.mo",
        "img/k/1.png", "img/k/2.jpg", "img/k/note.txt", "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
    add(name);
  expect_seen("parallel:" + path("a") + "," + path("b"), "a");
  expect_seen("parallel:" + path("a") + "," + path("b"), "b");
  expect_seen("parallel:" + path("a") + "," + path("b"), "c", false);
  expect_seen(path("c") + ";" + path("a"), "a");
  expect_seen("gettext:de:" + dir_.path().string(), "de/LC_MESSAGES/x.mo");
  expect_seen("gettext:de:" + dir_.path().string(), "de_DE/LC_MESSAGES/y.mo");
  expect_seen("gettext:de:" + dir_.path().string(), "fr/LC_MESSAGES/x.mo", false);
  expect_seen("images:" + path("img"), "img/k/2.jpg");
  expect_seen("images:" + path("img"), "img/k/note.txt", false);
  const std::string idx = "idx:" + dir_.path().string();
  expect_seen(idx, "train-images-idx3-ubyte");
  expect_seen(idx, "t10k-images-idx3-ubyte", false);
  expect_seen(idx + "@test", "t10k-images-idx3-ubyte");
  expect_seen(idx + "@test", "train-images-idx3-ubyte", false);
  EXPECT_NE(data_identity(idx + "@train", Split::kTrain),
            data_identity(idx + "@valid", Split::kTrain));
}

TEST_F(Identity, SeveralPartsAreAnArray) {
  add("a");
  add("b");
  const json both = data_identity(path("a") + ";" + path("b"), Split::kTrain);
  ASSERT_TRUE(both.is_array());
  EXPECT_EQ(both[1], file_identity(path("b")));
  EXPECT_THROW(data_identity(path("none"), Split::kTrain), Error);
}

}  // namespace
}  // namespace octet
