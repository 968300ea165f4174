// Pixels against transformers' image processor on PIL, and images as samples.
#include "models/data/image_processor.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/data/image_samples.h"
#include "tests/models/vit.h"

namespace octet::test {
namespace {

using nlohmann::json;

Image image_of(const at::Tensor& stored) {
  const auto* data = stored.data_ptr<uint8_t>();
  return {stored.size(0), stored.size(1), stored.size(2), {data, data + stored.numel()}};
}

TEST(ImageProcessorOracle, PixelsEqualTransformers) {
  const VitFolder folder("images");
  int cases = 0, resized = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().extension() != ".json") continue;
    SCOPED_TRACE(entry.path().stem());
    ++cases;
    const TensorFile stored(std::filesystem::path(entry.path()).replace_extension(".safetensors"));
    const at::Tensor expected = stored["pixels"];
    const ImageConfig config{expected.size(0), expected.size(1), expected.size(2), 1, 1,
                             {"one", "two"}};
    const json options = read_json(entry.path());
    const ImageProcessor processor(options, entry.path(), config);
    at::Tensor pixels = at::empty_like(expected);
    processor.write(image_of(stored["image"]), pixels.data_ptr<float>());
    const double worst = (pixels - expected).abs().max().item<double>();
    std::printf("%-16s worst %.2e\n", entry.path().stem().c_str(), worst);
    EXPECT_LT(worst, 1e-6);
    EXPECT_GT(expected.std().item<double>(), 0.1);
    resized += options["do_resize"].get<bool>() ? 1 : 0;
  }
  EXPECT_EQ(cases, 11);
  EXPECT_EQ(resized, 5);
}

const ImageConfig kGray{1, 8, 8, 4, 4, {"zero", "one", "two"}};

TEST(ImageProcessor, WhatItDoesNotDoIsRefusedByName) {
  const std::pair<json, std::string> cases[] = {
      {{{"do_center_crop", true}}, "do_center_crop"},
      {{{"size", {{"shortest_edge", 8}}}}, "shortest_edge"},
      {{{"size", 224}}, "224 x 224"},
      {{{"resample", 1}}, "resample = 1"},
      {{{"image_mean", {0.5, 0.5, 0.5}}}, "image_mean of 3 channels"},
      {{{"image_std", {0.0}}}, "image_std"},
      {{{"image_std", "wide"}}, "image_std"},
      {{{"rescale_factor", -1}}, "rescale_factor"}};
  for (const auto& [change, found] : cases) {
    json config = {
        {"size", {{"height", 8}, {"width", 8}}}, {"image_mean", 0.5}, {"image_std", 0.5}};
    config.update(change);
    try {
      const ImageProcessor processor(config, "p", kGray);
      ADD_FAILURE() << change;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(found), std::string::npos) << e.what();
    }
  }
}

TEST(ImageProcessor, AnImageOfAnotherSizeNeedsResizing) {
  std::vector<float> out(64);
  const Image image{1, 4, 4, std::vector<uint8_t>(16, 128)};
  const ImageProcessor fixed({{"do_resize", false}}, "p", kGray),
      resizing({{"size", 8}}, "p", kGray);
  EXPECT_THROW(fixed.write(image, out.data()), Error);
  resizing.write(image, out.data());
  EXPECT_NEAR(out[63], (128 / 255.0 - 0.5) / 0.5, 1e-6);
  const Image odd{2, 8, 8, std::vector<uint8_t>(128)};
  EXPECT_THROW(fixed.write(odd, out.data()), Error);
}

ImageSamples samples(std::unique_ptr<ImageSet> images) {
  return {std::move(images), kGray, ImageProcessor({{"do_resize", false}}, "p", kGray), "text"};
}

TEST(ImageSamples, BatchesHoldTheChosenImagesAndTheirClasses) {
  const RandomImages same(7, 1, 8, 3);
  const ImageSamples made = samples(std::make_unique<RandomImages>(7, 1, 8, 3));
  EXPECT_EQ(made.size(), 7);
  EXPECT_FALSE(made.positionwise());
  const std::vector<int64_t> indices = {5, 0, 3};
  const TaskBatch batch = made.batch(indices);
  ASSERT_EQ(batch.inputs.pixels.sizes(), at::IntArrayRef({3, 1, 8, 8}));
  for (int64_t r = 0; r < 3; ++r) {
    EXPECT_EQ(batch.targets[r].item<int64_t>(), indices[r] % 3);
    const uint8_t byte = same.image(indices[r]).pixels[9];
    EXPECT_NEAR(batch.inputs.pixels[r][0][1][1].item<float>(), (byte / 255.0 - 0.5) / 0.5, 1e-6);
  }
  EXPECT_EQ(made.hash().size(), 64);
}

TEST(ImageSamples, ClassesAreJoinedByNameWhereAllAreKnown) {
  const std::vector<int64_t> all = {0, 1, 2};
  const auto targets = [&](std::vector<std::string> names) {
    auto images = std::make_unique<RandomImages>(3, 1, 8, 3);
    images->name(std::move(names));
    return samples(std::move(images)).batch(all).targets;
  };
  EXPECT_TRUE(at::equal(targets({"two", "one", "zero"}), at::tensor({2, 1, 0}, at::kLong)));
  EXPECT_TRUE(at::equal(targets({"two", "one", "none"}), at::tensor({0, 1, 2}, at::kLong)));
}

TEST(ImageSamples, ALabelOutsideTheClassesIsAnError) {
  try {
    samples(std::make_unique<RandomImages>(5, 1, 8, 4));
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("label 3 of image 3"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace octet::test
