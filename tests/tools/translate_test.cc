// `octet translate` as a user runs it: lines in, lines out.
#include <gtest/gtest.h>

#include "core/io/input_file.h"
#include "tests/models/marian_toys.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

class TranslateOracle : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fs::remove_all(folder());
    write_toy_marian(folder() / "float");
    std::ofstream(folder() / "lines") << "The license of version 3\r\n\nis free software";
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }
  static fs::path folder() {
    return fs::path(testing::TempDir()) / ("octet-translate-" + std::to_string(getpid()));
  }
  static std::string path(const std::string& name) { return folder() / name; }
};

TEST_F(TranslateOracle, ALineForALine) {
  const std::string command = "translate " + path("float") + " --input ";
  const Output out = octet_cli(command + path("lines"), false);
  ASSERT_EQ(out.code, 0);
  EXPECT_EQ(std::count(out.text.begin(), out.text.end(), '\n'), 3);
  EXPECT_NE(out.text.find("\n\n"), std::string::npos) << "the empty line stays";
  EXPECT_EQ(
      shell("cat " + path("lines") + " | " + octet_binary() + " " + command + "-", false).text,
      out.text);
  ASSERT_EQ(octet_cli(command + path("lines") + " --out " + path("out"), false).text, "");
  EXPECT_EQ(read_file(path("out")), out.text);
  const auto json = nlohmann::json::parse(
      octet_cli(command + path("lines") + " --beam 1 --max-length 4 --json", false).text);
  EXPECT_EQ(json["sentences"], 3);
  EXPECT_EQ(json["beam"], 1);
  EXPECT_EQ(json["translations"].size(), 3U);
  EXPECT_LE(json["target_tokens"], 6);
  EXPECT_GT(json["sentences_per_second"], 0);
  EXPECT_NE(octet_cli(command + path("lines")).text.find("sentences/s"), std::string::npos);
}

TEST_F(TranslateOracle, QuantizedDirectories) {
  ASSERT_EQ(octet_cli("quantize " + path("float") + " --scheme w8a8-dynamic --head w8a8 --out " +
                      path("w8a8"))
                .code,
            0);
  const Output out =
      octet_cli("translate " + path("w8a8") + " --input " + path("lines") + " --json", false);
  EXPECT_EQ(nlohmann::json::parse(out.text)["scheme"], "w8a8-dynamic+head-w8a8-dynamic");
  EXPECT_EQ(octet_cli("inspect " + path("w8a8")).code, 0);
  EXPECT_EQ(octet_cli("verify " + path("w8a8")).code, 0);
}

TEST_F(TranslateOracle, ClearErrors) {
  write_toy(folder() / "llama");
  const auto refused = [](const std::string& arguments, int code, const std::string& found) {
    const Output out = octet_cli("translate " + arguments);
    EXPECT_EQ(out.code, code) << out.text;
    EXPECT_NE(out.text.find(found), std::string::npos) << out.text;
    EXPECT_EQ(std::count(out.text.begin(), out.text.end(), '\n'), 1) << out.text;
  };
  refused(path("llama") + " --input " + path("lines"), 2, "LlamaForCausalLM");
  refused(path("float"), 2, "--input");
  refused(path("float") + " --input " + path("nothing"), 1, "nothing");
  refused(path("float") + " --input " + path("lines") + " --batch 0", 2, "0 sentences");
  refused(path("float") + " --input " + path("lines") + " --beam 65", 2, "--beam 65");
  fs::copy(folder() / "float", folder() / "broken");
  std::ofstream(folder() / "broken" / "source.spm") << "no model";
  refused(path("broken") + " --input " + path("lines"), 1, "source.spm");
}

}  // namespace
}  // namespace octet::test
