// octet run with rules for single layers, and the command at the foot of its report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/json.h"
#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

std::vector<std::string> strings(const nlohmann::json& list) {
  return list.get<std::vector<std::string>>();
}

class RunLayers : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("octet-run-layers " +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    write_toy(folder_ / "model");
    std::ofstream text(folder_ / "text.txt");
    for (int i = 0; i < 400; ++i)
      text << "line " << i * 37 % 101 << " of a text that no one reads\n";
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string quoted(const std::string& name) const {
    return "'" + (folder_ / name).string() + "'";
  }
  // report.json of a short run into `out`.
  nlohmann::json run(const std::string& options, const std::string& out) const {
    const Output output = octet_cli(
        "run " + quoted("model") + " --data " + quoted("text.txt") +
            " --samples 8 --calib-length 32 --eval-length 64 --windows 4 --prefill 16 --decode 2 "
            "--rounds 1 --quiet --json " +
            options + " --out " + quoted(out),
        false);
    EXPECT_EQ(output.code, 0) << output.text;
    return nlohmann::json::parse(output.text);
  }
  nlohmann::json quantization(const std::string& model) const {
    return read_json((folder_ / model / "config.json").string())["quantization_config"];
  }
  fs::path folder_;
};

TEST_F(RunLayers, RulesReachEveryVariantAndTheReport) {
  const nlohmann::json report =
      run("--schemes w8a8-dynamic,w8a16 --layer '.*down_proj=w8a8-static' --ignore '.*o_proj' "
          "--outlier-ratio 0",
          "r");
  for (const char* scheme : {"w8a8-dynamic", "w8a16"}) {
    const nlohmann::json made = quantization(std::string("r/models/") + scheme);
    EXPECT_THAT(strings(made["ignore"]), Contains("model.layers.0.self_attn.o_proj"))
        << made.dump(1);
    int64_t found = 0;
    for (const auto& [name, group] : made["config_groups"].items()) {
      if (group["targets"].dump().find("down_proj") == std::string::npos) continue;
      ++found;
      EXPECT_EQ(group["input_activations"]["dynamic"], false) << made.dump(1);
    }
    EXPECT_EQ(found, 1) << made.dump(1);
  }
  EXPECT_THAT(strings(report["kept_layers"]),
              Contains("model.layers.1.self_attn.o_proj (--ignore .*o_proj)"));
  ASSERT_EQ(report["activation_ranges"].size(), 2U) << "down_proj of two blocks";
  EXPECT_EQ(report["activation_ranges"][0]["site"], "model.layers.0.mlp.down_proj");
}

TEST_F(RunLayers, OutlierRatioIsHandedOn) {
  EXPECT_EQ(run("--schemes w8a8-static --outlier-ratio 0", "all")["activation_ranges"].size(), 8U);
  EXPECT_EQ(run("--schemes w8a8-static --outlier-ratio 1e-3", "no")["activation_ranges"].size(),
            0U);
}

// The folder stands, so the command that the report names finds its own options there and has
// nothing to do; with any other it would be refused.
TEST_F(RunLayers, TheReportsCommandRepeatsTheRun) {
  const nlohmann::json report =
      run("--schemes w8a16,w8a8-static --layer '.*(up|gate)_proj=fp16' --range percentile "
          "--percentile 99.5 --seed 3 --beam 2 --name 'it'\\''s a toy' --threads 1",
          "r");
  ASSERT_EQ(report["commands"].size(), 1U);
  const std::string command = report["commands"][0];
  for (const char* part : {"--percentile 99.5", "--seed 3", "--samples 8", "--calib-length 32",
                           "--eval-length 64", "--windows 4", "--beam 2"}) {
    EXPECT_THAT(command, HasSubstr(part));
  }
  ASSERT_TRUE(command.starts_with("octet run ")) << command;
  const Output again = octet_cli(command.substr(6));
  EXPECT_EQ(again.code, 0) << command << "\n" << again.text;
  EXPECT_THAT(again.text, HasSubstr("(unchanged)"));
  EXPECT_EQ(octet_cli(command.substr(6) + " --learn-scales").code, 2);
}

TEST_F(RunLayers, ARuleWithoutALayerIsRefused) {
  const Output output = octet_cli("run " + quoted("model") + " --data " + quoted("text.txt") +
                                  " --schemes w8a16 --ignore nothing --out " + quoted("r"));
  EXPECT_EQ(output.code, 2);
  EXPECT_THAT(output.text, HasSubstr("--ignore nothing decides no layer"));
}

}  // namespace
}  // namespace octet::test
