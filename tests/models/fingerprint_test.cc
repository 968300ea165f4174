// What tells two models apart, and what does not.
#include "models/fingerprint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "tests/core/gguf_builder.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using nlohmann::json;
using testing::gguf_file;
using testing::gguf_tensor;

constexpr size_t kLarge = size_t{1} << 20;  // bytes of a tensor that is sampled

struct Tensor {
  Dtype dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};
using Tensors = std::map<std::string, Tensor>;

std::string pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 2654435761U >> 13);
  return bytes;
}

Tensors model() {
  return {{"large", {Dtype::kF16, {512, 1024}, pattern(kLarge)}},
          {"small", {Dtype::kF32, {3}, pattern(12)}},
          {"empty", {Dtype::kF32, {0}, ""}}};
}

void write(const std::filesystem::path& file, const Tensors& tensors) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) infos.push_back({name, tensor.dtype, tensor.shape});
  SafetensorsWriter writer(file, infos);
  for (const auto& [name, tensor] : tensors) {
    writer.write(name, std::as_bytes(std::span(tensor.bytes)));
  }
  writer.commit();
}

std::string fingerprint_of(const Tensors& tensors, const json& config = {{"layers", 1}}) {
  const testing::TempDir folder;
  write(folder / "model.safetensors", tensors);
  return content_fingerprint(config, Checkpoint(folder.path()));
}

TEST(Fingerprint, SaysItsVersionAndIsTheSameTwice) {
  EXPECT_THAT(fingerprint_of(model()), ::testing::StartsWith("v2:"));
  EXPECT_EQ(fingerprint_of(model()).size(), 3 + 64U);
  EXPECT_EQ(fingerprint_of(model()), fingerprint_of(model()));
}

TEST(Fingerprint, ChangesWithNameShapeDtypeAndConfig) {
  const std::string before = fingerprint_of(model());
  EXPECT_NE(fingerprint_of(model(), {{"layers", 2}}), before);
  Tensors other = model();
  other["large"].shape = {1024, 512};
  EXPECT_NE(fingerprint_of(other), before);
  other = model();
  other["large"].dtype = Dtype::kBF16;
  EXPECT_NE(fingerprint_of(other), before);
  other = model();
  other["other"] = other["small"];
  other.erase("small");
  EXPECT_NE(fingerprint_of(other), before);
}

TEST(Fingerprint, ChangesWithEveryByteThatIsSampled) {
  const std::string before = fingerprint_of(model());
  std::vector<size_t> places = {0, 4095, kLarge - 4096, kLarge - 1};
  for (size_t block = 1; block < 7; ++block) places.push_back((kLarge - 4096) * block / 7);
  for (const size_t place : places) {
    Tensors other = model();
    other["large"].bytes[place] ^= 1;
    EXPECT_NE(fingerprint_of(other), before) << place;
  }
  Tensors other = model();
  other["large"].bytes[8192] ^= 1;
  EXPECT_EQ(fingerprint_of(other), before) << "between the blocks";
  for (size_t i = 0; i < 12; ++i) {
    other = model();
    other["small"].bytes[i] ^= 1;
    EXPECT_NE(fingerprint_of(other), before) << "small tensors are hashed whole";
  }
}

TEST(Fingerprint, IsTheSameHoweverTheModelIsSharded) {
  const testing::TempDir folder;
  json index = {{"weight_map", json::object()}};
  for (const auto& [name, tensor] : model()) {
    const std::string file = "shard-" + name + ".safetensors";
    write(folder / file, {{name, tensor}});
    index["weight_map"][name] = file;
  }
  testing::put(folder / "model.safetensors.index.json", index.dump());
  EXPECT_EQ(content_fingerprint({{"layers", 1}}, Checkpoint(folder.path())),
            fingerprint_of(model()));
}

TEST(Fingerprint, OfNamesDoesNotSeeValues) {
  const testing::TempDir folder;
  write(folder / "model.safetensors", model());
  const std::string before = names_fingerprint("{}", Checkpoint(folder.path()), 77);
  EXPECT_EQ(before.find(':'), std::string::npos);
  Tensors other = model();
  other["large"].bytes = std::string(kLarge, 'x');
  write(folder / "model.safetensors", other);
  EXPECT_EQ(names_fingerprint("{}", Checkpoint(folder.path()), 77), before);
  EXPECT_NE(names_fingerprint("{}", Checkpoint(folder.path()), 78), before);
}

TEST(Fingerprint, OfGgufIsOfItsStoredBytes) {
  const testing::TempDir folder;
  const auto written = [&](std::string data) {
    testing::put(folder / "a.gguf",
                 gguf_file({}, {gguf_tensor("blk.0.weight", {512, 256}, 0, 0)}, data));
    return content_fingerprint({{"layers", 1}}, GgufFile(folder / "a.gguf"));
  };
  std::string data = pattern(size_t{4} * 512 * 256);
  const std::string before = written(data);
  EXPECT_THAT(before, ::testing::StartsWith("v2:"));
  EXPECT_EQ(written(data), before);
  data.back() ^= 1;
  EXPECT_NE(written(data), before);
}

}  // namespace
}  // namespace octet
