// `octet eval` of translation models as a user runs it.
#include <gtest/gtest.h>

#include <fstream>

#include "eval/task_scores.h"
#include "tests/models/marian_toys.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

class EvalTranslationOracle : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fs::remove_all(folder());
    write_toy_marian(folder() / "float");
    std::ofstream(folder() / "a") << "The license of version 3\nis free software\nthe program\n";
    std::ofstream(folder() / "b") << "version 3 of the license\nfree software is\nthe program\n";
    std::ofstream(folder() / "short") << "one line\n";
    octet_cli("quantize " + path("float") + " --scheme w4a16-g16 --out " + path("w4"));
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }
  static fs::path folder() {
    return fs::path(testing::TempDir()) / ("octet-eval-translation-" + std::to_string(getpid()));
  }
  static std::string path(const std::string& name) { return folder() / name; }
  static std::string data(const std::string& target = "b") {
    return " --data parallel:" + path("a") + "," + path(target) + " --beam 2";
  }
};

TEST_F(EvalTranslationOracle, JsonIsWhatReportsKeep) {
  const Output out =
      octet_cli("eval " + path("w4") + data() + " --reference " + path("float") + " --json", false);
  ASSERT_EQ(out.code, 0) << out.text;
  const auto json = nlohmann::json::parse(out.text);
  const TaskScores scores = task_scores_from(json, "stdout");
  EXPECT_EQ(scores.task, "translation");
  EXPECT_EQ(scores.scheme, "w4a16-g16");
  EXPECT_EQ(scores.signature, "sentences:3/3|log-probs:float32|beam:2");
  ASSERT_EQ(scores.scores.size(), 2U);
  EXPECT_TRUE(scores.scores[0].has_reference());
  EXPECT_EQ(scores.scores[0].total, 3);
  EXPECT_EQ(scores.examples.size(), static_cast<size_t>(scores.scores[0].changed));
  EXPECT_GT(scores.comparison->kl_mean, 0);
  EXPECT_EQ(json["outputs"].size(), 3U);
  EXPECT_EQ(json["reference"], path("float"));
  EXPECT_GT(json["counters"]["packed_gemms"], 0);
}

TEST_F(EvalTranslationOracle, TheTableSaysWhetherALossIsReal) {
  const Output out = octet_cli("eval " + path("w4") + data() + " --reference " + path("float"));
  ASSERT_EQ(out.code, 0) << out.text;
  for (const char* line : {"BLEU", "chrF2", "95 % interval", "p = ", "of 3 outputs changed",
                           "KL (nats)", "sentences/s", "tok:13a"}) {
    EXPECT_NE(out.text.find(line), std::string::npos) << line << "\n" << out.text;
  }
  const bool said = out.text.find("not more than chance") != std::string::npos ||
                    out.text.find("a loss") != std::string::npos ||
                    out.text.find("a gain") != std::string::npos;
  EXPECT_TRUE(said) << out.text;
}

TEST_F(EvalTranslationOracle, LimitsAndErrors) {
  const Output two = octet_cli("eval " + path("float") + data() + " --windows 2 --json", false);
  EXPECT_EQ(nlohmann::json::parse(two.text)["signature"], "sentences:2/3|log-probs:float32|beam:2");
  const Output unequal = octet_cli("eval " + path("float") + data("short"));
  EXPECT_EQ(unequal.code, 1) << unequal.text;
  const Output text = octet_cli("eval " + path("float") + " --data text:" + path("a"));
  EXPECT_EQ(text.code, 2) << text.text;
  EXPECT_EQ(octet_cli("eval " + path("float") + data() + " --beam 0").code, 2);
}

}  // namespace
}  // namespace octet::test
