// Bad input through the command line: one clear line, the right exit code, nothing under the final
// name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class BadInput : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(testing::TempDir()) /
        ("octet-bad-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    text_ = folder_ / "text.txt";
    std::ofstream(text_) << std::string(4000, 'a');
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path model() const { return folder_ / "model"; }
  fs::path out() const { return folder_ / "out"; }

  // One "error:" line with found, expected and remedy; the exit code; no result.
  void refused(const std::string& arguments, int code, const std::string& what) const {
    const Output output = octet_cli(arguments);
    EXPECT_EQ(output.code, code) << output.text;
    EXPECT_THAT(output.text, HasSubstr(what));
    EXPECT_EQ(std::count(output.text.begin(), output.text.end(), '\n'), 1) << output.text;
    for (const char* part : {"error: found ", "; expected ", "; remedy: "})
      EXPECT_THAT(output.text, HasSubstr(part));
    EXPECT_FALSE(fs::exists(out()));
  }
  void quantize_refused(int code, const std::string& what) const {
    refused("quantize " + model().string() + " --scheme w8a8-dynamic --out " + out().string(), code,
            what);
  }
  // model.safetensors from a raw header and data.
  void write_raw(const std::string& header, size_t data_bytes, uint64_t stated_length = 0) const {
    write_toy(model());
    std::ofstream file(model() / "model.safetensors", std::ios::binary);
    const uint64_t length = stated_length == 0 ? header.size() : stated_length;
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << header << std::string(data_bytes, '\0');
  }

  fs::path folder_, text_;
};

TEST_F(BadInput, AGoodToyIsAccepted) {
  write_toy(model());
  const Output output =
      octet_cli("quantize " + model().string() + " --scheme w8a8-dynamic --out " + out().string());
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_TRUE(fs::exists(out() / "model.safetensors"));
}

TEST_F(BadInput, TruncatedFile) {
  write_toy(model());
  fs::resize_file(model() / "model.safetensors", fs::file_size(model() / "model.safetensors") - 10);
  quantize_refused(1, "model.safetensors");
}

TEST_F(BadInput, OverlappingTensors) {
  write_raw(
      R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}})",
      6);
  quantize_refused(1, "model.safetensors");
}

TEST_F(BadInput, OversizedHeader) {
  write_raw("{}", 0, uint64_t{1} << 60);
  quantize_refused(1, "model.safetensors");
}

TEST_F(BadInput, DuplicateKeys) {
  write_raw(
      R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"a":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})",
      4);
  quantize_refused(1, "duplicate");
}

TEST_F(BadInput, AbsurdGgufCounts) {
  const std::string file = folder_ / "model.gguf";
  std::ofstream gguf(file, std::ios::binary);
  const uint32_t version = 3;
  const uint64_t absurd = uint64_t{1} << 62;
  gguf << "GGUF";
  gguf.write(reinterpret_cast<const char*>(&version), 4);
  gguf.write(reinterpret_cast<const char*>(&absurd), 8);
  gguf.write(reinterpret_cast<const char*>(&absurd), 8);
  gguf.close();
  refused("convert " + file + " --to safetensors --out " + out().string(), 1, "model.gguf");
}

TEST_F(BadInput, PathTraversalInAnIndex) {
  write_toy(model());
  fs::rename(model() / "model.safetensors", folder_ / "outside.safetensors");
  std::ofstream(model() / "model.safetensors.index.json")
      << R"({"metadata":{},"weight_map":{"model.norm.weight":"../outside.safetensors"}})";
  quantize_refused(1, "outside.safetensors");
}

TEST_F(BadInput, ConfigWithAMissingField) {
  for (const char* field : {"hidden_size", "rope_theta", "num_hidden_layers", "model_type"}) {
    write_toy(model());
    auto config = toy_config_json();
    config.erase(field);
    std::ofstream(model() / "config.json") << config.dump();
    quantize_refused(1, field);
  }
}

TEST_F(BadInput, NotANumberInAWeight) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    write_toy(model(), [bad](auto& tensors) {
      tensors["model.layers.1.mlp.up_proj.weight"].view({-1})[77].fill_(bad);
    });
    quantize_refused(1, "element 77 of tensor model.layers.1.mlp.up_proj.weight");
    fs::remove_all(out().string() + ".partial");
  }
}

TEST_F(BadInput, EmptyData) {
  write_toy(model());
  const std::string empty = folder_ / "empty.txt";
  std::ofstream(empty).close();
  refused("eval " + model().string() + " --data " + empty, 1, "empty.txt");
  refused("calibrate " + model().string() + " --data " + empty + " --out " + out().string(), 1,
          "empty.txt");
}

TEST_F(BadInput, TooLittleData) {
  write_toy(model());
  refused("calibrate " + model().string() + " --data " + text_.string() +
              " --samples 100 --length 100 --out " + out().string(),
          1, "40 windows of 100 tokens");
}

TEST_F(BadInput, SentencesWithoutTranslations) {
  const std::string source = folder_ / "a.en", target = folder_ / "a.de";
  std::ofstream(source) << "one\ntwo\nthree\n";
  std::ofstream(target) << "eins\nzwei\n";
  refused("data parallel:" + source + "," + target, 1, "3 lines in " + source + " and 2 in ");
  std::ofstream(target).close();
  refused("data parallel:" + source + "," + target, 1, "no sentence in " + target);
  refused("data parallel:" + source, 2, "parallel:SRC,TGT, two files");
}

TEST_F(BadInput, EmptyCatalogues) {
  const std::string data = "data gettext:de:" + folder_.string();
  refused(data, 1, "no catalogue of \"de\" in ");
  const fs::path catalogues = folder_ / "de" / "LC_MESSAGES";
  fs::create_directories(catalogues);
  std::ofstream(catalogues / "tool.mo", std::ios::binary)  // no message, tables at its end
      << std::string("\xDE\x12\x04\x95\0\0\0\0\0\0\0\0\x1C\0\0\0\x1C\0\0\0\0\0\0\0\x1C\0\0\0", 28);
  refused(data, 1, "no sentence in the 1 catalogues of ");
  std::ofstream(catalogues / "tool.mo") << "";
  refused(data, 1, "tool.mo");
}

TEST_F(BadInput, LabelsOutsideTheClasses) {
  // One image of one sample and its label, for training and for the test.
  const auto write = [&](const std::string& name, const std::string& label) {
    std::ofstream(folder_ / (name + "-images-idx3-ubyte"), std::ios::binary)
        << std::string("\0\0\x08\x03\0\0\0\x01\0\0\0\x01\0\0\0\x01\x50", 17);
    std::ofstream(folder_ / (name + "-labels-idx1-ubyte"), std::ios::binary)
        << std::string("\0\0\x08\x01\0\0\0\x01", 8) << label;
  };
  write("train", "\x02");
  write("t10k", "\x03");
  refused("data idx:" + folder_.string() + "@test", 1, "label 3 of image 0 in ");
  refused("data idx:" + folder_.string() + "@half", 2, "unknown split \"@half\"");
}

TEST_F(BadInput, FullDisk) {
  write_toy(model());
  const fs::path disk = folder_ / "disk";
  fs::create_directories(disk);
  if (shell("mount -t tmpfs -o size=24k tmpfs " + disk.string()).code != 0) {
    GTEST_SKIP() << "mounting a small tmpfs needs root";
  }
  const Output output = octet_cli("quantize " + model().string() + " --scheme w8a16 --out " +
                                  (disk / "out").string());
  EXPECT_EQ(output.code, 1) << output.text;
  EXPECT_THAT(output.text, HasSubstr("no space left"));
  EXPECT_EQ(std::count(output.text.begin(), output.text.end(), '\n'), 1) << output.text;
  EXPECT_FALSE(fs::exists(disk / "out"));
  shell("umount " + disk.string());
}

TEST_F(BadInput, UsageErrorsExitWithTwo) {
  write_toy(model());
  refused("frobnicate", 2, "frobnicate");
  refused("quantize", 2, "no MODEL");
  refused("quantize " + model().string() + " --frobnicate 3", 2, "frobnicate");
  refused("quantize " + model().string() + " --scheme int3 --out " + out().string(), 2, "int3");
  refused("quantize " + model().string() + " --scheme w8a8-static --out " + out().string(), 2,
          "no --calib");
  refused("quantize " + model().string() + " --scheme w8a16", 2, "no --out");
  refused("eval " + model().string() + " --data nosuchkind:x", 2, "nosuchkind");
  refused("eval " + model().string() + " --data " + text_.string() + " --device tpu", 2, "tpu");
  refused("calibrate " + model().string() + " --data " + text_.string() + " --shard 4/4 --out " +
              out().string(),
          2, "4/4");
}

TEST_F(BadInput, OtherOptionsForAFinishedResultAreRefused) {
  write_toy(model());
  const std::string base = "quantize " + model().string() + " --out " + out().string();
  ASSERT_EQ(octet_cli(base + " --scheme w8a16").code, 0);
  const Output again = octet_cli(base + " --scheme w8a16");
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.text, HasSubstr("unchanged"));
  const Output other = octet_cli(base + " --scheme w8a8-dynamic");
  EXPECT_EQ(other.code, 2) << other.text;
  EXPECT_THAT(other.text, HasSubstr("/scheme: \"w8a16\" (now \"w8a8-dynamic\")"));
}

TEST_F(BadInput, OtherWeightsForAnInterruptedRunAreRefused) {
  write_toy(model(),
            [](auto& tensors) { tensors["model.norm.weight"].view({-1})[3].fill_(std::nanf("")); });
  quantize_refused(1, "element 3 of tensor model.norm.weight");
  write_toy(model());
  quantize_refused(2, "/weights/model.safetensors/mtime_ns");
}

}  // namespace
}  // namespace octet::test
