#include "datasets/images/images.h"

#include <zlib.h>

#include <set>

#include "datasets/images/idx.h"
#include "tests/core/support.h"
#include "tests/datasets/image_files.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::build_idx;
using testing::build_jpeg;
using testing::build_png;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::put;
using testing::TempDir;

class ImageFiles : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  void put_gray(const std::string& name, int value) const {
    fs::create_directories((dir_ / name).parent_path());
    put(dir_ / name, build_png(1, 1, {std::string(1, static_cast<char>(value))},
                               {PNG_COLOR_TYPE_GRAY, 8, false, {}}));
  }
  void put_packed(const std::string& name, const std::string& bytes) const {
    gzFile file = ::gzopen(path(name).c_str(), "wb");
    ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    ::gzclose(file);
  }
  std::string refusal(const std::string& data, Split split = Split::kTrain) const {
    return error_of([&] { open_images(data, split); });
  }
  TempDir dir_;
};

// `count` images of 2 x 1 pixels: i and 100 + i; label i % classes.
std::pair<std::string, std::string> numbered(int count, int classes) {
  std::string pixels, labels;
  for (int i = 0; i < count; ++i) {
    pixels += static_cast<char>(i);
    pixels += static_cast<char>(100 + i);
    labels += static_cast<char>(i % classes);
  }
  return {build_idx({count, 1, 2}, pixels), build_idx({count}, labels)};
}

std::vector<int> firsts(const ImageSet& set) {
  std::vector<int> out;
  for (int64_t i = 0; i < set.size(); ++i) out.push_back(set.image(i).pixels[0]);
  return out;
}

TEST_F(ImageFiles, IdxFilesAreRead) {
  const auto [images, labels] = numbered(5, 3);
  put(path("i"), images);
  put_packed("l.gz", labels);
  const auto set = open_images("idx:" + path("i") + "," + path("l.gz"), Split::kTest);
  ASSERT_EQ(set->size(), 5);
  EXPECT_THAT(set->classes(), ElementsAre("0", "1", "2"));
  EXPECT_EQ(set->label(4), 1);
  const Image image = set->image(4);
  EXPECT_EQ(image.channels, 1);
  EXPECT_EQ(image.height, 1);
  EXPECT_EQ(image.width, 2);
  EXPECT_THAT(image.pixels, ElementsAre(4, 104));
  EXPECT_THAT(error_of([&] { set->image(5); }), HasSubstr("image 5"));
  EXPECT_THAT(error_of([&] { set->label(-1); }), HasSubstr("image -1"));
}

TEST_F(ImageFiles, ColouredIdxIsInterleaved) {
  put(path("i"), build_idx({1, 1, 2, 3}, "abcdef"));
  put(path("l"), build_idx({1}, std::string(1, '\0')));
  const auto set = open_images("idx:" + path("i") + "," + path("l"), Split::kTrain);
  EXPECT_THAT(set->image(0).pixels, ElementsAre('a', 'd', 'b', 'e', 'c', 'f'));
}

TEST_F(ImageFiles, AFolderNamedAsMnistHasSplits) {
  const auto [images, labels] = numbered(24, 3);
  const auto [test_images, test_labels] = numbered(3, 2);
  put_packed("train-images-idx3-ubyte.gz", images);
  put(path("train-labels-idx1-ubyte"), labels);
  put(path("t10k-images.idx3-ubyte"), test_images);
  put(path("t10k-labels.idx1-ubyte"), test_labels);
  const std::string data = "idx:" + dir_.path().string();
  const auto train = open_images(data, Split::kTrain), valid = open_images(data, Split::kValid);
  const auto test = open_images(data, Split::kTest), all = open_images(data + "@all", Split::kTest);
  EXPECT_EQ(train->size(), 22);
  EXPECT_THAT(firsts(*valid), ElementsAre(22, 23));
  EXPECT_THAT(firsts(*test), ElementsAre(0, 1, 2));
  EXPECT_EQ(test->classes().size(), 3U);  // of training
  EXPECT_EQ(all->size(), 27);
  EXPECT_THAT(firsts(*all).back(), 2);
  EXPECT_EQ(all->label(22), 22 % 3);
  EXPECT_EQ(all->label(25), 1);
  EXPECT_EQ(open_images(data + "@valid", Split::kTest)->size(), 2);
  const std::set<std::string> hashes = {train->hash(), valid->hash(), test->hash(), all->hash()};
  EXPECT_EQ(hashes.size(), 4U);
  EXPECT_EQ(open_images(data, Split::kTest)->hash(), test->hash());
}

TEST_F(ImageFiles, TheLastFiveThousandAreValid) {
  const std::string pixels(72000, '\1'), labels(72000, '\0');
  put(path("train-images-idx3-ubyte"), build_idx({72000, 1, 1}, pixels));
  put(path("train-labels-idx1-ubyte"), build_idx({72000}, labels));
  const std::string data = "idx:" + dir_.path().string();
  EXPECT_EQ(open_images(data, Split::kTrain)->size(), 67000);
  EXPECT_EQ(open_images(data, Split::kValid)->size(), 5000);
  EXPECT_THAT(refusal(data, Split::kTest), HasSubstr("no t10k-images-idx*-ubyte(.gz) in "));
}

TEST_F(ImageFiles, WrongIdxDataIsNamed) {
  const auto [images, labels] = numbered(5, 3);
  put(path("i"), images);
  put(path("l"), labels);
  put(path("four"), numbered(4, 3).second);
  const auto with = [&](const std::string& i, const std::string& l) {
    return "idx:" + path(i) + "," + path(l);
  };
  EXPECT_THAT(refusal(with("i", "four")),
              AllOf(HasSubstr("5 images in "), HasSubstr("4 labels in ")));
  EXPECT_THAT(refusal(with("l", "i")), HasSubstr("an array [5] in "));
  EXPECT_THAT(refusal(with("i", "i")), HasSubstr("an array [5, 1, 2] in "));
  EXPECT_THAT(refusal(with("i", "no")), HasSubstr("no"));
  put(path("flat"), build_idx({5, 0, 2}, ""));
  EXPECT_THAT(refusal(with("flat", "l")), HasSubstr("an array [5, 0, 2] in "));
  put(path("none"), build_idx({0, 1, 1}, ""));
  put(path("nolabel"), build_idx({0}, ""));
  EXPECT_THAT(refusal(with("none", "nolabel")), HasSubstr("no image ("));
  EXPECT_THROW(open_images(with("i", "l") + "@test", Split::kAll), UsageError);
  EXPECT_THROW(open_images("text:" + path("i"), Split::kAll), UsageError);
}

TEST_F(ImageFiles, ALabelOutsideTheClassesIsNamed) {
  const auto [images, labels] = numbered(24, 3);
  const auto [test_images, test_labels] = numbered(9, 5);
  put(path("train-images-idx3-ubyte"), images);
  put(path("train-labels-idx1-ubyte"), labels);
  put(path("t10k-images-idx3-ubyte"), test_images);
  put(path("t10k-labels-idx1-ubyte"), test_labels);
  EXPECT_THAT(refusal("idx:" + dir_.path().string(), Split::kTest),
              AllOf(HasSubstr("label 3 of image 3 in "), HasSubstr("t10k-labels-idx1-ubyte"),
                    HasSubstr("expected a class of training, 0 to 2")));
}

TEST(Idx, EveryTruncationAndExcessIsRefused) {
  const std::string good = numbered(3, 2).first;
  EXPECT_THAT(parse_idx(good, "f").shape, ElementsAre(3, 1, 2));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_THAT(error_of([&] { parse_idx(good.substr(0, size), "f"); }), HasSubstr(" in f;"))
        << size;
  EXPECT_THAT(error_of([&] { parse_idx(good + "x", "f"); }),
              HasSubstr("7 values for shape [3, 1, 2]"));
  std::string huge = good;
  huge.replace(4, 12, std::string(12, '\xFF'));
  EXPECT_THAT(error_of([&] { parse_idx(huge, "f"); }), HasSubstr("shape [4294967295"));
  for (const size_t at : {0, 1, 2, 3}) {
    std::string wrong = good;
    wrong[at] = '\x0D';
    EXPECT_THAT(error_of([&] { parse_idx(wrong, "f"); }), HasSubstr("the beginning "));
  }
}

TEST_F(ImageFiles, AFolderPerClassIsRead) {
  put_gray("pets/dog/b.png", 3);
  put_gray("pets/cat/z.PNG", 2);
  put_gray("pets/cat/a.png", 1);
  put_gray("pets/.hidden/a.png", 9);
  put(path("pets/cat/notes.txt"), "no image");
  put(path("pets/dog/c.jpeg"), build_jpeg(1, 1, 3, "\x40\x40\x40"));
  const auto set = open_images("images:" + path("pets") + "@all", Split::kTrain);
  EXPECT_THAT(set->classes(), ElementsAre("cat", "dog"));
  ASSERT_EQ(set->size(), 4);
  EXPECT_THAT(firsts(*set), ElementsAre(1, 2, 3, 64));
  EXPECT_EQ(set->label(1), 0);
  EXPECT_EQ(set->label(2), 1);
  EXPECT_EQ(set->image(3).channels, 3);
  const std::string hash = set->hash();
  put_gray("pets/dog/b.png", 4);
  EXPECT_NE(open_images("images:" + path("pets") + "@all", Split::kTrain)->hash(), hash);
}

TEST_F(ImageFiles, AHashOfTheNameSplits) {
  for (int i = 0; i < 300; ++i)
    put_gray("set/" + std::to_string(i % 2) + "/" + std::to_string(i) + ".png", i);
  const std::string data = "images:" + path("set");
  const auto train = open_images(data, Split::kTrain), valid = open_images(data, Split::kValid);
  const auto test = open_images(data, Split::kTest);
  EXPECT_EQ(train->size() + valid->size() + test->size(), 300);
  EXPECT_NEAR(static_cast<double>(valid->size()), 30, 20);
  EXPECT_NEAR(static_cast<double>(test->size()), 30, 20);
  EXPECT_EQ(train->classes(), test->classes());
}

TEST_F(ImageFiles, DividedFoldersAreTakenAsTheyAre) {
  for (int i = 0; i < 40; ++i) put_gray("set/train/a/" + std::to_string(i) + ".png", i);
  put_gray("set/train/b/x.png", 50);
  put_gray("set/test/b/x.png", 60);
  const std::string data = "images:" + path("set");
  const auto train = open_images(data, Split::kTrain), valid = open_images(data, Split::kValid);
  EXPECT_EQ(train->size() + valid->size(), 41);
  EXPECT_GE(valid->size(), 1);
  EXPECT_THAT(firsts(*open_images(data, Split::kTest)), ElementsAre(60));
  EXPECT_EQ(open_images(data, Split::kTest)->label(0), 1);
  put_gray("set/val/a/y.png", 70);
  EXPECT_THAT(firsts(*open_images(data, Split::kValid)), ElementsAre(70));
  EXPECT_EQ(open_images(data, Split::kTrain)->size(), 41);
  EXPECT_EQ(open_images(data + "@all", Split::kTrain)->size(), 43);
  put_gray("set/test/c/z.png", 80);
  EXPECT_THAT(refusal(data, Split::kTest),
              AllOf(HasSubstr("class \"c\" of "), HasSubstr("one of the 2 classes of training")));
  fs::remove_all(path("set/test"));
  EXPECT_THAT(refusal(data, Split::kTest), HasSubstr("no test folder in "));
}

TEST_F(ImageFiles, BrokenAndMissingImagesAreNamed) {
  put_gray("set/a/1.png", 1);
  put(path("set/a/2.png"), "not an image");
  const auto set = open_images("images:" + path("set") + "@all", Split::kTrain);
  EXPECT_EQ(set->image(0).pixels[0], 1);
  EXPECT_THAT(error_of([&] { set->image(1); }),
              AllOf(HasSubstr("neither a JPEG nor a PNG image in "), HasSubstr("set/a/2.png")));
  EXPECT_THAT(refusal("images:" + path("none")), HasSubstr("none (No such file or directory)"));
  fs::create_directories(path("empty"));
  EXPECT_THAT(refusal("images:" + path("empty")), HasSubstr("no folder in "));
  fs::create_directories(path("empty/a"));
  EXPECT_THAT(refusal("images:" + path("empty")), HasSubstr("no image (train) in images data"));
}

}  // namespace
}  // namespace octet
