// A vision model through every command, from IDX files and two JSON files alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/tools/support.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

std::string idx(const std::vector<int>& shape, const std::string& bytes) {
  std::string file{'\0', '\0', '\x08', static_cast<char>(shape.size())};
  for (const int size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(size >> shift & 255);
  }
  return file + bytes;
}

// Images of 8 x 8 pixels whose brighter half tells their class: left, right, top, bottom.
void write_images(const fs::path& folder, const std::string& part, int count) {
  std::string pixels, labels;
  for (int i = 0; i < count; ++i) {
    const int label = i * 7 % 4;
    labels += static_cast<char>(label);
    for (int p = 0; p < 64; ++p) {
      const int x = p % 8, y = p / 8;
      const bool bright = label == 0 ? x < 4 : label == 1 ? x >= 4 : label == 2 ? y < 4 : y >= 4;
      pixels += static_cast<char>((bright ? 110 : 40) + (i * 131 + p * 71) % 97);
    }
  }
  std::ofstream(folder / (part + "-images-idx3-ubyte"), std::ios::binary)
      << idx({count, 8, 8}, pixels);
  std::ofstream(folder / (part + "-labels-idx1-ubyte"), std::ios::binary) << idx({count}, labels);
}

const json kConfig = {{"architectures", {"ViTForImageClassification"}},
                      {"model_type", "vit"},
                      {"dtype", "float16"},
                      {"hidden_size", 32},
                      {"intermediate_size", 64},
                      {"num_hidden_layers", 2},
                      {"num_attention_heads", 4},
                      {"layer_norm_eps", 1e-6},
                      {"image_size", 8},
                      {"patch_size", 4},
                      {"num_channels", 1},
                      {"id2label", {{"0", "left"}, {"1", "right"}, {"2", "top"}, {"3", "bottom"}}}};
const json kPixels = {{"image_processor_type", "ViTImageProcessor"},
                      {"do_resize", false},
                      {"image_mean", {0.5}},
                      {"image_std", {0.25}}};

class Vision : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fs::remove_all(folder());
    fs::create_directories(folder() / "config");
    fs::create_directories(folder() / "data");
    write_images(folder() / "data", "train", 240);
    write_images(folder() / "data", "t10k", 60);
    std::ofstream(folder() / "config" / "config.json") << kConfig;
    std::ofstream(folder() / "config" / "preprocessor_config.json") << kPixels;
    trained_ = octet_cli("train " + path("config") + " --data " + data() + " --eval-data " +
                         data() + " --eval-samples 0 --batch 20 --steps 60 --warmup 5 --lr 3e-3 " +
                         "--eval-every 30 --out " + path("model"));
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }

  static fs::path folder() { return fs::path(testing::TempDir()) / "octet-vision"; }
  static std::string path(const std::string& name) { return folder() / name; }
  static std::string data() { return "idx:" + path("data"); }
  static void run(const std::string& arguments) {
    const Output output = octet_cli(arguments);
    ASSERT_EQ(output.code, 0) << output.text;
  }
  static json json_of(const std::string& arguments) {
    const Output output = octet_cli(arguments + " --json", false);
    EXPECT_EQ(output.code, 0) << octet_cli(arguments).text;
    return json::parse(output.text, nullptr, false);
  }

  static Output trained_;
};
Output Vision::trained_;

TEST_F(Vision, IsTrainedCalibratedQuantizedAndScored) {
  ASSERT_EQ(trained_.code, 0) << trained_.text;
  EXPECT_TRUE(fs::exists(folder() / "model" / "preprocessor_config.json"));
  const json info = json_of("inspect " + path("model"));
  EXPECT_EQ(info["linear_layers_to_quantize"], 12);
  EXPECT_TRUE(info["kept"].contains("vit.embeddings.patch_embeddings.projection.weight"));
  EXPECT_TRUE(info["kept"].contains("classifier"));
  run("calibrate " + path("model") + " --data " + data() + " --samples 32 --out " + path("c.h5"));
  const json alone = json_of("eval " + path("model") + " --data " + data());
  ASSERT_EQ(alone["scores"][0]["metric"], "accuracy") << alone;
  EXPECT_EQ(alone["scores"][0]["total"], 60);
  EXPECT_GT(alone["scores"][0]["value"], 90);
  for (const char* scheme : {"w8a8-static", "w8a8-dynamic", "w8a16", "w4a16-g16"}) {
    SCOPED_TRACE(scheme);
    run("quantize " + path("model") + " --scheme " + scheme + " --calib " + path("c.h5") +
        " --out " + path(scheme));
    run("verify " + path(scheme));
    const json scored =
        json_of("eval " + path(scheme) + " --data " + data() + " --reference " + path("model"));
    EXPECT_EQ(scored["scheme"], scheme);
    const json& accuracy = scored["scores"][0];
    EXPECT_EQ(accuracy["reference"], alone["scores"][0]["value"]);
    EXPECT_GT(accuracy["value"], 80);
    EXPECT_GT(scored["comparison"]["kl_mean"], 0);
    EXPECT_LT(scored["comparison"]["kl_mean"], 0.1);
  }
}

TEST_F(Vision, DataThatDoesNotFitIsRefusedInOneLine) {
  ASSERT_EQ(trained_.code, 0) << trained_.text;
  const std::string refused = octet_cli("eval " + path("model") + " --data README.md").text;
  EXPECT_THAT(refused, HasSubstr("images"));
  fs::create_directories(folder() / "more");
  for (const std::string part : {"train", "t10k"}) {
    write_images(folder() / "more", part, 24);
    std::ofstream(folder() / "more" / (part + "-labels-idx1-ubyte"), std::ios::binary)
        << idx({24}, std::string(24, '\x09'));
  }
  const Output outside =
      octet_cli("eval " + path("model") + " --data idx:" + path("more") + "@all");
  EXPECT_EQ(outside.code, 1);
  EXPECT_THAT(outside.text, HasSubstr("label 9 of image 0"));
  fs::copy(folder() / "model", folder() / "bare");
  fs::remove(folder() / "bare" / "preprocessor_config.json");
  const Output bare = octet_cli("eval " + path("bare") + " --data " + data());
  EXPECT_EQ(bare.code, 1);
  EXPECT_THAT(bare.text, HasSubstr("no preprocessor_config.json"));
}

TEST_F(Vision, BrokenImagesAreRefusedInOneLine) {
  ASSERT_EQ(trained_.code, 0) << trained_.text;
  const auto refused = [](const std::string& contents, const std::string& cause) {
    const fs::path images = folder() / "images";
    fs::remove_all(images);
    for (const char* label : {"left", "right", "top", "bottom"}) {
      fs::create_directories(images / label);
      std::ofstream(images / label / "a.png", std::ios::binary) << contents;
    }
    const Output output =
        octet_cli("eval " + path("model") + " --data images:" + images.string() + "@all --quiet");
    EXPECT_EQ(output.code, 1);
    EXPECT_THAT(output.text, HasSubstr(cause));
    EXPECT_EQ(std::ranges::count(output.text, '\n'), 1) << output.text;
  };
  refused("\x89PNG\r\n\x1a\n cut", "a broken PNG image");
  refused("\xff\xd8\xff\xe0 cut", "a broken JPEG image");
  refused("text", "neither a JPEG nor a PNG image");
  refused("", "a.png");
}

}  // namespace
}  // namespace octet::test
