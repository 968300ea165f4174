// A model is opened once: parts are read when they are asked for, and kept.
#include "models/source_model.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/io/atomic_file.h"
#include "models/weights/tensor_source.h"
#include "models/weights/weight_source.h"
#include "tests/core/support.h"
#include "tests/tools/toy_directory.h"
#include "text/tokenizers/tokenizer.h"

namespace octet::test {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(SourceModel, NothingIsReadBeforeItIsAskedFor) {
  const testing::TempDir folder;
  const SourceModel absent(folder / "absent");
  EXPECT_THAT(error_of([&] { absent.config(); }),
              HasSubstr("absent is neither a directory nor a .gguf file"));
  // A directory to train in has no weights.
  write_file(folder / "config.json", toy_config_json().dump());
  const SourceModel bare(folder.path());
  EXPECT_EQ(bare.config().layers, 2);
  EXPECT_THAT(error_of([&] { bare.checkpoint(); }), HasSubstr("model.safetensors"));
  EXPECT_THAT(error_of([&] { bare.fingerprint(); }), HasSubstr("model.safetensors"));
}

TEST(SourceModel, IsOpenedOnce) {
  const testing::TempDir folder;
  write_toy(folder.path());
  const SourceModel model(folder.path());
  EXPECT_EQ(model.checkpoint(), model.checkpoint());
  EXPECT_EQ(&model.tokenizer(), &model.tokenizer());
  const std::string fingerprint = model.fingerprint();
  EXPECT_EQ(model.config().hidden, 32);
  // What is read is kept: the files are not looked for again.
  for (const char* file : {"config.json", "tokenizer.json", "model.safetensors"}) {
    ASSERT_TRUE(std::filesystem::remove(folder / file));
  }
  EXPECT_EQ(model.fingerprint(), fingerprint);
  EXPECT_EQ(model.config().hidden, 32);
  EXPECT_EQ(model.tokenizer().encode("ab").size(), 2U);
  EXPECT_EQ(model.weights()->get("model.norm.weight").dense.numel(), 32);
}

TEST(SourceModel, SourcesOutliveIt) {
  const testing::TempDir folder;
  write_toy(folder.path());
  const auto tensors = SourceModel(folder.path()).tensors();
  const auto weights = SourceModel(folder.path()).weights();
  const at::Tensor norm = weights->get("model.norm.weight").dense;
  ASSERT_EQ(norm.scalar_type(), at::kHalf);
  at::Tensor read = at::empty_like(norm);
  tensors->open("model.norm.weight")
      ->read(0, {static_cast<std::byte*>(read.data_ptr()), read.nbytes()});
  EXPECT_TRUE(at::equal(read, norm));
}

TEST(SourceModel, OfAnArchitectureThatIsNotExecutedHasAllButAConfig) {
  const testing::TempDir folder;
  write_toy(folder.path());
  auto config = toy_config_json();
  config["architectures"] = {"SomethingForCausalLM"};
  write_file(folder / "config.json", config.dump());
  const SourceModel model(folder.path());
  EXPECT_EQ(model.config_json()["hidden_size"], 32);
  EXPECT_FALSE(executable(model.config_json()));
  EXPECT_THAT(error_of([&] { model.config(); }), HasSubstr("SomethingForCausalLM"));
  EXPECT_TRUE(model.tensors()->has("model.norm.weight"));
  EXPECT_THAT(model.fingerprint(), ::testing::StartsWith("v2:"));
  EXPECT_EQ(model.weight_file_bytes(), std::filesystem::file_size(folder / "model.safetensors"));
}

TEST(SourceModel, ErrorsNameTheConfig) {
  const testing::TempDir folder;
  write_file(folder / "config.json", "{");
  EXPECT_THAT(error_of([&] { SourceModel(folder.path()).config_json(); }),
              HasSubstr((folder / "config.json").string()));
}

}  // namespace
}  // namespace octet::test
