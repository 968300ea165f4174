// The streaming writer on small checkpoints: what it writes, in how much memory, and after kills of
// every kind that a test can cause within one process.
#include "quant/stream/stream_writer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/hash.h"
#include "core/io/input_file.h"
#include "core/random.h"
#include "models/torch_dtype.h"
#include "models/weights/checkpoint_tensors.h"
#include "models/weights/weight_sources.h"
#include "quant/qparams.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Action = StreamItem::Action;
using Tensors = std::map<std::string, at::Tensor>;

at::Tensor normal(const std::string& name, at::IntArrayRef shape) {
  const Random random(9, name);
  at::Tensor tensor = at::empty(shape);
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<float>()[i] = static_cast<float>(0.02 * random.normal(i));
  }
  return tensor;
}

/// Tensors of several types, some larger than the smallest buffer.
Tensors model_tensors() {
  return {{"embed.weight", normal("embed", {3000, 256}).to(at::kHalf)},
          {"a.weight", normal("a", {700, 512}).to(at::kHalf)},
          {"b.weight", normal("b", {512, 640}).to(at::kBFloat16)},
          {"c.weight", normal("c", {64, 1024})},
          {"empty", at::empty({0, 7}, at::kHalf)},
          {"ids", at::arange(1000, at::kLong)},
          {"norm.weight", normal("norm", {512}).to(at::kHalf)}};
}

std::vector<StreamItem> model_items() {
  const WeightCoding eight{Dtype::kI8, 0, false, Dtype::kF16};
  const WeightCoding four{Dtype::kI4, 64, true, Dtype::kF16};
  const std::string shape("\0\2\0\0\0\0\0\0\200\2\0\0\0\0\0\0", 16);
  return {{"embed.weight", "embed.weight", Action::kCopy, {}, {}},
          {"a.weight", "a", Action::kCodes, eight, {}},
          {"b.weight", "b", Action::kPacked, four, {{{"b.weight_shape", Dtype::kI64, {2}}, shape}}},
          {"c.weight", "c", Action::kPacked, eight, {}},
          {"empty", "empty", Action::kCopy, {}, {}},
          {"ids", "ids", Action::kCopy, {}, {}},
          {"norm.weight", "norm.weight", Action::kCopy, {}, {}}};
}

/// Counts what is opened; runs a hook in front of each.
class Watched : public TensorSource {
 public:
  explicit Watched(const fs::path& directory) : inner_(directory) {
    for (const TensorInfo& info : inner_.tensors()) add(info);
  }
  std::shared_ptr<const TensorReader> open(const std::string& name) override {
    if (before) before(name);
    opened.push_back(name);
    return inner_.open(name);
  }
  std::function<void(const std::string&)> before;
  std::vector<std::string> opened;

 private:
  CheckpointTensors inner_;
};

class StreamWriter : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("octet-stream-" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "out");
    write_model(model_tensors());
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path model() const { return folder_ / "model"; }
  fs::path out() const { return folder_ / "out"; }

  void write_model(const Tensors& tensors) const {
    fs::create_directories(model());
    std::vector<TensorInfo> infos;
    for (const auto& [name, tensor] : tensors) {
      infos.push_back({name, container_dtype(tensor.scalar_type()), tensor.sizes().vec()});
    }
    SafetensorsWriter writer(model() / "model.safetensors", infos);
    for (const auto& [name, tensor] : tensors) {
      writer.write(name, {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
    }
    writer.commit();
  }
  StreamResult write(const fs::path& directory, TensorSource& source,
                     const StreamOptions& options = {}) {
    fs::create_directories(directory);
    return write_stream(directory, source, model_items(), options, context_);
  }
  StreamResult write(const fs::path& directory, const StreamOptions& options = {}) {
    CheckpointTensors source(model());
    return write(directory, source, options);
  }
  std::string error_of(const std::function<void()>& body) const {
    try {
      body();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  std::string weights(const fs::path& directory) const {
    return read_file(directory / "model.safetensors");
  }

  fs::path folder_;
  Log log_{true};
  StopToken stop_;
  Context context_{log_, stop_, "cpu", 2};
};

TEST_F(StreamWriter, WritesWhatTheTensorFunctionsGive) {
  write(out());
  CheckpointTensors made(out());
  const Tensors tensors = model_tensors();
  for (const char* kept : {"embed.weight", "empty", "ids", "norm.weight"}) {
    EXPECT_TRUE(at::equal(read_tensor(made, kept), tensors.at(kept))) << kept;
  }
  const QuantizedWeight a = quantize_weight(tensors.at("a.weight"), {});
  EXPECT_TRUE(at::equal(read_tensor(made, "a.weight"), a.q));
  EXPECT_TRUE(at::equal(read_tensor(made, "a.weight_scale"), a.scale));
  const QuantizedWeight c = quantize_weight(tensors.at("c.weight"), {});
  EXPECT_TRUE(at::equal(read_tensor(made, "c.weight_packed"), pack_qweight(c.q, Dtype::kI8)));
  EXPECT_TRUE(at::equal(read_tensor(made, "c.weight_scale"), c.scale));
  EXPECT_TRUE(at::equal(read_tensor(made, "b.weight_shape"), at::tensor({512, 640}, at::kLong)));
  EXPECT_EQ(made.info("b.weight_packed").shape, (std::vector<int64_t>{512, 80}));
  EXPECT_EQ(made.info("b.weight_scale").shape, (std::vector<int64_t>{512, 10}));
  EXPECT_EQ(made.tensors().size(), 11U);
}

TEST_F(StreamWriter, MemoryAndThreadsChangeNoBit) {
  write(out());
  StreamOptions small;
  const std::string refused = error_of([&] {
    small.max_memory = 1 << 20;
    write(folder_ / "refused", small);
  });
  EXPECT_THAT(refused, HasSubstr("--max-memory of 1 MiB"));
  const size_t least = refused.find("at least ") + 9;
  // The process itself may have grown a little meanwhile.
  small.max_memory = (std::stoull(refused.substr(least)) + 8) << 20;
  at::set_num_threads(1);
  write(folder_ / "small", small);
  EXPECT_EQ(weights(folder_ / "small"), weights(out()));
}

TEST_F(StreamWriter, HashesAreThoseOfTheBytes) {
  const StreamResult result = write(out());
  const Checkpoint made(out());
  EXPECT_EQ(result.hashes.size(), made.tensors().size());
  for (const auto& [name, location] : made.tensors()) {
    std::vector<std::byte> bytes(byte_count(location.entry.info));
    made.read(name, bytes);
    EXPECT_EQ(result.hashes.at(name), sha256(bytes)) << name;
    EXPECT_EQ(result.files.at(name), "model.safetensors");
  }
}

TEST_F(StreamWriter, CutsLargeModelsIntoShardsWithAnIndex) {
  write(out());
  StreamOptions options;
  options.shard_bytes = 600'000;
  const StreamResult result = write(folder_ / "shards", options);
  EXPECT_TRUE(fs::exists(folder_ / "shards" / "model-00001-of-00003.safetensors"));
  EXPECT_FALSE(fs::exists(folder_ / "shards" / "model.safetensors"));
  EXPECT_EQ(result.files.at("embed.weight"), "model-00001-of-00003.safetensors");
  CheckpointTensors shards(folder_ / "shards"), whole(out());
  ASSERT_EQ(shards.tensors().size(), whole.tensors().size());
  uint64_t total = 0;
  for (const TensorInfo& info : whole.tensors()) {
    EXPECT_TRUE(at::equal(read_tensor(shards, info.name), read_tensor(whole, info.name)))
        << info.name;
    total += byte_count(info);
  }
  const auto index =
      nlohmann::json::parse(read_file(folder_ / "shards" / "model.safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_size"], total);
}

TEST_F(StreamWriter, GoesOnAtTheTensorItWasAt) {
  write(out());
  Watched first(model());
  first.before = [](const std::string& name) {
    if (name == "c.weight") throw Error("the end", "more", "none");
  };
  EXPECT_THAT(error_of([&] { write(folder_ / "again", first); }), HasSubstr("the end"));
  Watched second(model());
  const StreamResult result = write(folder_ / "again", second);
  // Reading runs ahead: what was read but not finished is read again.
  EXPECT_EQ(result.resumed + static_cast<int64_t>(second.opened.size()), 7);
  EXPECT_EQ(second.opened.back(), "norm.weight");
  EXPECT_EQ(weights(folder_ / "again"), weights(out()));
  EXPECT_EQ(result.hashes, write(out()).hashes);
  Watched third(model());
  EXPECT_EQ(write(folder_ / "again", third).resumed, 7);
  EXPECT_TRUE(third.opened.empty());
}

TEST_F(StreamWriter, AStopLeavesWhatIsFinished) {
  write(out());
  Watched source(model());
  source.before = [this](const std::string& name) {
    if (name == "norm.weight") stop_.request();
  };
  EXPECT_THROW(write(folder_ / "again", source), Interrupted);
  StopToken fresh;
  Context context{log_, fresh, "cpu", 2};
  CheckpointTensors all(model());
  write_stream(folder_ / "again", all, model_items(), {}, context);
  EXPECT_EQ(weights(folder_ / "again"), weights(out()));
}

TEST_F(StreamWriter, ATornOrForeignJournalIsCutOff) {
  write(out());
  const std::string expected = weights(out());
  const fs::path journal = out() / kStreamJournal;
  const std::string lines = read_file(journal);
  const size_t half = lines.size() / 2;
  for (const std::string& text :
       {lines.substr(0, half), lines.substr(0, half) + std::string(100, '\0') + "\n",
        "{\"item\":3,\"sha256\":{}}\n" + lines, std::string("x")}) {
    std::ofstream(journal, std::ios::binary | std::ios::trunc) << text;
    const StreamResult result = write(out());
    EXPECT_LT(result.resumed, 7);
    EXPECT_EQ(result.hashes.size(), 11U);
    EXPECT_EQ(weights(out()), expected);
  }
}

TEST_F(StreamWriter, AJournalWithoutItsFilesIsNotBelieved) {
  write(out());
  const std::string expected = weights(out());
  fs::remove(out() / "model.safetensors");
  EXPECT_EQ(write(out()).resumed, 0);
  EXPECT_EQ(weights(out()), expected);
}

TEST_F(StreamWriter, DamageIsNamedWithItsPlace) {
  for (const char* name : {"a.weight", "embed.weight", "b.weight"}) {
    Tensors tensors = model_tensors();
    const int64_t place = tensors.at(name).numel() - 5;
    tensors.at(name).view({-1})[place].fill_(std::numeric_limits<float>::infinity());
    write_model(tensors);
    EXPECT_THAT(error_of([&] { write(folder_ / (std::string("bad-") + name)); }),
                HasSubstr("inf at element " + std::to_string(place) + " of tensor " + name));
  }
}

TEST_F(StreamWriter, WhatCannotBeQuantizedIsRefusedBeforeAnythingIsWritten) {
  CheckpointTensors source(model());
  const auto refusal = [&](const StreamItem& item) {
    return error_of([&] { write_stream(out(), source, {item}, {}, context_); });
  };
  EXPECT_THAT(refusal({"ids", "ids", Action::kCodes, {}, {}}), HasSubstr("I64 and rank 1"));
  EXPECT_THAT(refusal({"a.weight", "a", Action::kPacked, {Dtype::kI4, 96}, {}}),
              HasSubstr("groups of 96 in the 512 columns of a.weight"));
  EXPECT_THAT(refusal({"nowhere", "a", Action::kCopy, {}, {}}), HasSubstr("no tensor nowhere"));
  EXPECT_TRUE(fs::is_empty(out()));
}

/// A disk of its own size.
class SmallDisk {
 public:
  SmallDisk(fs::path path, const std::string& size) : path_(std::move(path)) {
    fs::create_directories(path_);
    mounted_ = ::mount("none", path_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount(path_.c_str());
  }
  bool mounted() const { return mounted_; }
  void resize(const std::string& size) const {
    ::mount("none", path_.c_str(), "tmpfs", MS_REMOUNT, ("size=" + size).c_str());
  }

 private:
  fs::path path_;
  bool mounted_;
};

TEST_F(StreamWriter, AFullDiskIsFoundBeforeTheJobStarts) {
  const SmallDisk disk(folder_ / "disk", "1m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs needs root";
  Watched source(model());
  const std::string message = error_of([&] { write(folder_ / "disk", source); });
  EXPECT_THAT(message, HasSubstr("no space left"));
  EXPECT_THAT(message, HasSubstr("1.0 MB free; expected 2.1 MB"));
  EXPECT_TRUE(source.opened.empty());
  EXPECT_TRUE(fs::is_empty(folder_ / "disk"));
}

TEST_F(StreamWriter, ADiskThatFillsUpIsSurvived) {
  write(out());
  const SmallDisk disk(folder_ / "disk", "4m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs needs root";
  Watched source(model());
  source.before = [&](const std::string& name) {
    if (name != "b.weight") return;
    std::ofstream other(folder_ / "disk" / "other", std::ios::binary);
    for (int i = 0; i < 4096; ++i) other << std::string(1024, 'x');
  };
  EXPECT_THAT(error_of([&] { write(folder_ / "disk", source); }), HasSubstr("no space left"));
  fs::remove(folder_ / "disk" / "other");
  write(folder_ / "disk");
  EXPECT_EQ(weights(folder_ / "disk"), weights(out()));
}

TEST_F(StreamWriter, MemoryTensorsGiveTheBitsOfAFile) {
  write(out());
  CheckpointTensors file(model());
  MemoryTensors loaded(model_tensors());
  write(folder_ / "loaded", loaded);
  EXPECT_EQ(weights(folder_ / "loaded"), weights(out()));
}

}  // namespace
}  // namespace octet
