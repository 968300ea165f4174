// The command line itself: help, the reference document, JSON output and resuming.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"
#include "tools/command.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(CommandLine, EveryCommandHasHelpWithExamples) {
  for (const auto& command : commands()) {
    const Output help = octet_cli(command->name() + " --help");
    EXPECT_EQ(help.code, 0) << help.text;
    EXPECT_THAT(help.text, HasSubstr("Examples:\n  octet " + command->name()));
    EXPECT_FALSE(command->summary().empty());
  }
}

TEST(CommandLine, ReferenceDocumentIsCurrent) {
  std::ifstream file(source_dir() + "/docs/cli.md");
  std::stringstream document;
  document << file.rdbuf();
  EXPECT_EQ(document.str(), reference_markdown())
      << "run build/octet help --markdown > docs/cli.md";
}

class ToyRun : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(testing::TempDir()) /
        ("octet-cli-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    write_toy(folder_ / "model");
    std::ofstream text(folder_ / "text.txt");
    for (int i = 0; i < 400; ++i)
      text << "line " << i * 37 % 101 << " of a text that no one reads\n";
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }
  static nlohmann::json json_of(const std::string& arguments) {
    const Output output = octet_cli(arguments + " --json", false);
    EXPECT_EQ(output.code, 0) << octet_cli(arguments).text;
    return nlohmann::json::parse(output.text);
  }
  fs::path folder_;
};

TEST_F(ToyRun, InspectCountsFromHeaders) {
  const auto info = json_of("inspect " + path("model"));
  EXPECT_EQ(info["architecture"], "LlamaForCausalLM");
  EXPECT_EQ(info["linear_layers_to_quantize"], 14);
  // 256*32 table, 2 blocks of 32*32*2 + 16*32*2 + 48*32*3 and 2*32 norms, 32 final norm.
  EXPECT_EQ(info["parameters"], 256 * 32 + 2 * (2 * 1024 + 1024 + 4608 + 64) + 32);
  EXPECT_EQ(info["bytes_under"]["fp16"], 2 * info["parameters"].get<int64_t>());
  const auto made =
      json_of("quantize " + path("model") + " --scheme w8a8-dynamic --out " + path("q"));
  const auto file = made["bytes_after"].get<int64_t>(),
             predicted = info["bytes_under"]["w8a8-dynamic"].get<int64_t>();
  EXPECT_GT(file, predicted);
  EXPECT_LT(file, predicted + 8192) << "nothing but the header beside the predicted bytes";
}

TEST_F(ToyRun, ShardsMergeToTheBytesOfOneRun) {
  const std::string base = "calibrate " + path("model") + " --data " + path("text.txt") +
                           " --samples 12 --length 32 --unit 2 --out ";
  json_of(base + path("whole.h5"));
  for (const char* i : {"0", "1", "2"})
    json_of(base + path(std::string("part") + i + ".h5") + " --shard " + i + "/3");
  json_of("calib merge " + path("part2.h5") + " " + path("part0.h5") + " " + path("part1.h5") +
          " --out " + path("merged.h5"));
  EXPECT_EQ(json_of("calib show " + path("whole.h5")), json_of("calib show " + path("merged.h5")));
  for (const char* file : {"whole.h5", "merged.h5"}) {
    json_of("quantize " + path("model") + " --scheme w8a8-static --calib " + path(file) +
            " --out " + path(std::string("q-") + file));
  }
  EXPECT_EQ(shell("cmp " + path("q-whole.h5") + "/model.safetensors " + path("q-merged.h5") +
                  "/model.safetensors")
                .code,
            0);
  const Output incomplete =
      octet_cli("quantize " + path("model") + " --scheme w8a8-static --calib " + path("part0.h5") +
                " --out " + path("no"));
  EXPECT_EQ(incomplete.code, 1);
  EXPECT_THAT(incomplete.text, HasSubstr("calib merge"));
}

TEST_F(ToyRun, KilledCalibrationGoesOnWithTheSameBits) {
  const std::string base = "calibrate " + path("model") + " --data " + path("text.txt") +
                           " --samples 60 --length 64 --unit 1 --threads 1";
  json_of(base + " --out " + path("whole.h5"));
  // Hidden states in memory, on disk, and about half of them on either.
  for (const std::string memory : {"", "0", "0.0003"}) {
    SCOPED_TRACE(memory);
    const std::string out = path("killed" + memory + ".h5");
    const std::string command =
        base + (memory.empty() ? "" : " --hidden-memory " + memory) + " --out " + out;
    int kills = 0;
    for (int i = 0; i < 40 && !fs::exists(out); ++i) {
      const Output output = shell("timeout -s KILL " + std::to_string(0.15 + 0.03 * i) + " " +
                                  octet_binary() + " " + command);
      kills += output.code == 137 ? 1 : 0;
    }
    ASSERT_TRUE(fs::exists(out));
    EXPECT_GT(kills, 0);
    // The last kill may have come between the result and the end.
    ASSERT_EQ(octet_cli(command).code, 0);
    EXPECT_FALSE(fs::exists(out + ".partial"));
    EXPECT_EQ(json_of("calib show " + path("whole.h5")), json_of("calib show " + out));
  }
}

TEST_F(ToyRun, RunReportsOnceAndSkipsWhatIsDone) {
  const std::string command = "run " + path("model") + " --calib-data " + path("text.txt") +
                              " --eval-data " + path("text.txt") +
                              " --schemes w8a8-dynamic,w8a8-static,w8a16 --samples 8 "
                              "--calib-length 32 --eval-length 64 --windows 4"
                              " --prefill 32 --decode 4 --rounds 2 --out " +
                              path("report");
  const Output first = octet_cli(command);
  ASSERT_EQ(first.code, 0) << first.text;
  for (const char* name : {"w8a8-dynamic", "w8a8-static", "w8a16", "float32", "bfloat16"})
    EXPECT_THAT(first.text, HasSubstr(name));
  const auto stamp = fs::last_write_time(path("report") + "/report.json");
  const Output second = octet_cli(command);
  EXPECT_EQ(second.code, 0);
  EXPECT_THAT(second.text, HasSubstr("(unchanged)"));
  EXPECT_EQ(fs::last_write_time(path("report") + "/report.json"), stamp);
  EXPECT_EQ(json_of(command)["octet_report"], 2);
  EXPECT_TRUE(fs::exists(path("report") + "/report.html"));
  EXPECT_EQ(octet_cli(command + " --seed 5").code, 2)
      << "other options for the same --out are refused";
}

}  // namespace
}  // namespace octet::test
