#include "datasets/images/image_codecs.h"

#include "tests/core/support.h"
#include "tests/datasets/image_files.h"
#include "tests/environment.h"

namespace octet {
namespace {

using testing::build_jpeg;
using testing::build_png;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

Image decode(const std::string& bytes) {
  return decode_image(bytes, "a/b.img");
}

std::string refusal(const std::string& bytes) {
  std::string message = error_of([&] { decode(bytes); });
  EXPECT_THAT(message, HasSubstr("in a/b.img; expected a whole JPEG or PNG image"));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  return message;
}

std::vector<int> pixels(const Image& image) {
  return {image.pixels.begin(), image.pixels.end()};
}

const std::vector<std::string> kTwoRows = {std::string("\x01\x02\x03\x0A\x14\x1E", 6),
                                           std::string("\x04\x05\x06\x28\x32\x3C", 6)};

TEST(Png, ColoursBecomePlanes) {
  for (const bool interlaced : {false, true}) {
    const Image image = decode(build_png(2, 2, kTwoRows, {PNG_COLOR_TYPE_RGB, 8, interlaced, {}}));
    EXPECT_EQ(image.channels, 3);
    EXPECT_EQ(image.height, 2);
    EXPECT_EQ(image.width, 2);
    EXPECT_THAT(pixels(image), ElementsAre(1, 10, 4, 40, 2, 20, 5, 50, 3, 30, 6, 60));
  }
}

TEST(Png, GrayStaysOneChannel) {
  EXPECT_THAT(
      pixels(decode(build_png(3, 1, {"\x01\x80\xFF"}, {PNG_COLOR_TYPE_GRAY, 8, false, {}}))),
      ElementsAre(1, 128, 255));
  // 1 and 4 bits are widened, 16 cut.
  EXPECT_THAT(pixels(decode(build_png(3, 1, {"\xA0"}, {PNG_COLOR_TYPE_GRAY, 1, false, {}}))),
              ElementsAre(255, 0, 255));
  EXPECT_THAT(pixels(decode(build_png(2, 1, {"\x3F"}, {PNG_COLOR_TYPE_GRAY, 4, false, {}}))),
              ElementsAre(51, 255));
  const std::string deep("\x12\xFF\x80\x01", 4);
  EXPECT_THAT(pixels(decode(build_png(2, 1, {deep}, {PNG_COLOR_TYPE_GRAY, 16, false, {}}))),
              ElementsAre(0x12, 0x80));
}

TEST(Png, PalettesAndTransparencyAreResolved) {
  const Image palette =
      decode(build_png(2, 1, {std::string("\x01\x00", 2)},
                       {PNG_COLOR_TYPE_PALETTE, 8, false, {{1, 2, 3}, {7, 8, 9}}}));
  EXPECT_THAT(pixels(palette), ElementsAre(7, 1, 8, 2, 9, 3));
  const std::string rgba("\x01\x02\x03\x00\x04\x05\x06\xFF", 8);
  EXPECT_THAT(pixels(decode(build_png(2, 1, {rgba}, {PNG_COLOR_TYPE_RGB_ALPHA, 8, false, {}}))),
              ElementsAre(1, 4, 2, 5, 3, 6));
  const std::string gray_alpha("\x09\x00\x08\x80", 4);
  EXPECT_THAT(
      pixels(decode(build_png(2, 1, {gray_alpha}, {PNG_COLOR_TYPE_GRAY_ALPHA, 8, false, {}}))),
      ElementsAre(9, 8));
}

TEST(Png, BrokenFilesAreNamed) {
  const std::string good = build_png(2, 2, kTwoRows, {});
  for (size_t size = 8; size < good.size(); ++size)
    EXPECT_THAT(refusal(good.substr(0, size)), HasSubstr("a broken PNG image (")) << size;
  std::string wrong = good;
  wrong[good.size() - 20] ^= 1;  // inside the pixels or their checksum
  EXPECT_THAT(refusal(wrong), HasSubstr("a broken PNG image ("));
  std::string large = good;
  large[17] = 1;  // a width of 65538, which the header's checksum does not fit
  EXPECT_THAT(refusal(large), HasSubstr("a broken PNG image ("));
}

TEST(Png, HugeSizesAreRefusedBeforeMemoryIsTaken) {
  const std::string row(16384, '\0');
  const std::string wide = build_png(16384, 1, {row}, {PNG_COLOR_TYPE_GRAY, 8, false, {}});
  EXPECT_EQ(decode(wide).width, 16384);
  const std::vector<std::string> rows(4097, std::string(2048, '\0'));
  EXPECT_THAT(refusal(build_png(16384, 4097, rows, {PNG_COLOR_TYPE_GRAY, 1, false, {}})),
              HasSubstr("16384 x 4097 pixels"));
  EXPECT_THAT(
      refusal(build_png(16385, 1, {std::string(16385, '\0')}, {PNG_COLOR_TYPE_GRAY, 8, false, {}})),
      HasSubstr("a broken PNG image ("));
}

TEST(Png, EveryByteMayBeWrong) {
  const std::string good = build_png(2, 2, kTwoRows, {PNG_COLOR_TYPE_RGB, 8, true, {}});
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char value : {'\0', '\x7F', '\xFF'}) {
      std::string bytes = good;
      bytes[at] = value;
      try {
        decode(bytes);
      } catch (const Error&) {  // the wanted answer
      }
    }
  }
}

std::string gradient(int width, int height, int channels) {
  std::string samples;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) samples += static_cast<char>(40 + 3 * x + 5 * y + 20 * c);
    }
  }
  return samples;
}

TEST(Jpeg, SamplesComeBack) {
  for (const bool progressive : {false, true}) {
    for (const int channels : {1, 3}) {
      const std::string samples = gradient(19, 11, channels);
      const Image image = decode(build_jpeg(19, 11, channels, samples, progressive));
      ASSERT_EQ(image.channels, channels);
      ASSERT_EQ(image.height, 11);
      ASSERT_EQ(image.width, 19);
      for (int c = 0; c < channels; ++c) {
        for (int y = 0; y < 11; ++y) {
          for (int x = 0; x < 19; ++x) {
            const int expected = 40 + 3 * x + 5 * y + 20 * c;
            EXPECT_NEAR(image.pixels[static_cast<size_t>((c * 11 + y) * 19 + x)], expected, 8);
          }
        }
      }
    }
  }
}

TEST(Jpeg, BrokenFilesAreNamed) {
  for (const bool progressive : {false, true}) {
    const std::string good = build_jpeg(19, 11, 3, gradient(19, 11, 3), progressive);
    for (size_t size = 3; size < good.size(); ++size)
      EXPECT_THAT(refusal(good.substr(0, size)), HasSubstr("a broken JPEG image (")) << size;
  }
  EXPECT_THAT(refusal(build_jpeg(8, 8, 4, gradient(8, 8, 4))),
              HasSubstr("JPEG image of 4 channels"));
}

TEST(Jpeg, HugeSizesAreRefused) {
  std::string bytes = build_jpeg(8, 8, 1, gradient(8, 8, 1));
  const size_t frame = bytes.find(std::string("\xFF\xC0", 2));
  ASSERT_NE(frame, std::string::npos);
  bytes[frame + 5] = bytes[frame + 7] = '\x7F';  // height and width of 0x7F08
  EXPECT_THAT(refusal(bytes), HasSubstr("pixels (at most 16384 a side"));
}

TEST(Jpeg, EveryByteMayBeWrong) {
  const std::string good = build_jpeg(9, 9, 3, gradient(9, 9, 3), true);
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char value : {'\0', '\x7F', '\xFF'}) {
      std::string bytes = good;
      bytes[at] = value;
      try {
        decode(bytes);
      } catch (const Error&) {  // the wanted answer
      }
    }
  }
}

// Pillow reads the same samples from the same files.
TEST(ImageCodecsOracle, PillowReadsTheSame) {
  const testing::TempDir dir;
  const std::string command = test::python_binary() + " " + test::source_dir() +
                              "/tests/datasets/images_oracle.py " + dir.path().string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  int images = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    if (entry.path().extension() == ".raw") continue;
    const std::string path = entry.path().string(), expected = testing::get(path + ".raw");
    const Image image = decode_image(testing::get(path), path);
    EXPECT_EQ(image.width, 53);
    EXPECT_EQ(image.height, 37);
    EXPECT_TRUE(std::string(image.pixels.begin(), image.pixels.end()) == expected) << path;
    ++images;
  }
  EXPECT_EQ(images, 8);
}

TEST(Images, OtherFilesAreNamed) {
  EXPECT_THAT(refusal(""), HasSubstr("0 bytes"));
  EXPECT_THAT(refusal("GIF89a..."), HasSubstr("neither a JPEG nor a PNG image"));
}

}  // namespace
}  // namespace octet
