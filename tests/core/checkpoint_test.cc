#include <fmt/format.h>

#include "core/containers/safetensors.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::put;
using testing::TempDir;

class Checkpoints : public ::testing::Test {
 protected:
  void shard(const std::string& file, const std::string& tensor, const std::string& bytes) {
    SafetensorsWriter out(dir_ / file,
                          {{tensor, Dtype::kU8, {static_cast<int64_t>(bytes.size())}}});
    out.write(tensor, std::as_bytes(std::span(bytes)));
    out.commit();
  }
  void index(const std::string& json) { put(dir_ / "model.safetensors.index.json", json); }
  void map(const std::string& tensor, const std::string& file) {
    index(fmt::format(R"({{"metadata":{{"total_size":1}},"weight_map":{{"{}":"{}"}}}})", tensor,
                      file));
  }
  std::string refusal() {
    return error_of([this] { Checkpoint checkpoint(dir_.path()); });
  }
  static std::string read(const Checkpoint& checkpoint, const std::string& name) {
    std::string out(byte_count(checkpoint.info(name)), '\0');
    checkpoint.read(name, std::as_writable_bytes(std::span(out)));
    return out;
  }
  TempDir dir_;
};

TEST_F(Checkpoints, SingleFile) {
  shard("model.safetensors", "w", "abc");
  const Checkpoint checkpoint(dir_.path());
  EXPECT_TRUE(checkpoint.has("w"));
  EXPECT_FALSE(checkpoint.has("v"));
  EXPECT_EQ(read(checkpoint, "w"), "abc");
  EXPECT_THAT(error_of([&] { checkpoint.info("v"); }), HasSubstr("no tensor v"));
  EXPECT_THAT(error_of([&] { checkpoint.read("v", {}); }), HasSubstr("no tensor v"));
}

TEST_F(Checkpoints, Shards) {
  shard("model-00001-of-00002.safetensors", "a", "12");
  shard("model-00002-of-00002.safetensors", "b", "345");
  index(
      R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})");
  const Checkpoint checkpoint(dir_.path());
  EXPECT_EQ(checkpoint.tensors().size(), 2U);
  EXPECT_EQ(read(checkpoint, "a"), "12");
  EXPECT_EQ(read(checkpoint, "b"), "345");
}

TEST_F(Checkpoints, RefusesPathTraversal) {
  std::filesystem::create_directory(dir_ / "sub");
  shard("sub/x.safetensors", "w", "abc");
  for (const char* name : {"sub/x.safetensors", "../x.safetensors", "/etc/x", "..", ".", "",
                           "a\\\\b", "x.safetensors\\u0000/../../etc"}) {
    map("w", name);
    EXPECT_THAT(refusal(), HasSubstr("a file name without a folder")) << name;
  }
}

TEST_F(Checkpoints, RefusesBrokenIndexes) {
  EXPECT_THAT(refusal(), HasSubstr("neither model.safetensors nor"));
  index("[]");
  EXPECT_THAT(refusal(), HasSubstr("no weight_map"));
  index(R"({"weight_map":[]})");
  EXPECT_THAT(refusal(), HasSubstr("no weight_map"));
  index(R"({"weight_map":{"w":1}})");
  EXPECT_THAT(refusal(), HasSubstr("a shard of type number"));
  index(R"({"weight_map":{"w":"a","w":"b"}})");
  EXPECT_THAT(refusal(), HasSubstr("duplicate key"));
  map("w", "gone.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("no gone.safetensors in"));
  shard("one.safetensors", "v", "abc");
  map("w", "one.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("no tensor w in"));
}

}  // namespace
}  // namespace octet
