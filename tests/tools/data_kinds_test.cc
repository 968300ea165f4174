// Every kind of DATA through the commands that take it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kQuestion = R"({"context":"2+2 =","choices":[" 4"," five"],"label":0})";

class DataKinds : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("octet-data-" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    write_toy(folder_ / "model");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string model() const { return folder_ / "model"; }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  // Arguments of a command that reads DATA, with every other option it needs.
  std::vector<std::string> commands(const std::string& data) const {
    return {"eval " + model() + " --length 16 --data " + data,
            "calibrate " + model() + " --samples 2 --length 16 --data " + data + " --out " +
                (folder_ / "calib.h5").string()};
  }
  void refused(const std::string& arguments, int code, const std::string& what) const {
    const Output output = octet_cli(arguments);
    EXPECT_EQ(output.code, code) << output.text;
    EXPECT_THAT(output.text, HasSubstr(what)) << arguments;
    EXPECT_EQ(std::count(output.text.begin(), output.text.end(), '\n'), 1) << output.text;
    EXPECT_THAT(output.text, HasSubstr("error: found "));
  }
  fs::path folder_;
};

using DataKindsOracle = DataKinds;

TEST_F(DataKinds, WorkInEveryCommand) {
  std::ofstream(folder_ / "model" / "tokenizer_config.json") << json{
      {"chat_template",
       "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
       "'<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
       "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
       "{% endfor %}"}};
  const std::string text(200, 'a');
  std::string questions;
  for (int i = 0; i < 20; ++i) questions.append(kQuestion).append("\n");
  for (const std::string& data :
       {file("a.txt", text), "text:" + file("a.txt", text),
        "jsonl:" + file("t.jsonl", json{{"text", text}}.dump()),
        "jsonl:" +
            file("m.jsonl", json{{"messages", {{{"role", "user"}, {"content", text}}}}}.dump()),
        "choice:" + file("q.jsonl", questions)}) {
    fs::remove(folder_ / "calib.h5");
    for (const std::string& command : commands(data)) {
      const Output output = octet_cli(command);
      EXPECT_EQ(output.code, 0) << command << "\n" << output.text;
    }
  }
}

TEST_F(DataKinds, BadRecordsAreOneLineEverywhere) {
  for (const std::string& command : commands("jsonl:" + file("b.jsonl", "{\"text\":\"a\"}\n{\n")))
    refused(command, 1, "b.jsonl line 2");
  for (const std::string& command : commands("jsonl:" + file("n.jsonl", "{\"txt\":\"a\"}\n")))
    refused(command, 1, "n.jsonl line 1");
  for (const std::string& command :
       commands("choice:" + file("l.jsonl", R"({"context":"c","choices":["a","b"],"label":2})")))
    refused(command, 1, "label 2 in " + (folder_ / "l.jsonl").string() + " line 1");
  for (const std::string& command : commands("choice:" + file("e.jsonl", "")))
    refused(command, 1, "empty data in");
  for (const std::string& command :
       commands("jsonl:" + file("c.jsonl", R"({"messages":[{"role":"user","content":"q"}]})")))
    refused(command, 1, "no chat template in");
  for (const std::string& command : commands("pairs:x")) refused(command, 2, "pairs:");
  const std::string text = file("a.txt", std::string(200, 'a'));
  refused("run " + model() + " --calib-data " + text + " --eval-data choice:" +
              file("q.jsonl", kQuestion) + " --out " + (folder_ / "out").string(),
          2, "octet eval --data choice:FILE");
}

TEST_F(DataKindsOracle, AnswersAreThoseOfTransformers) {
  const std::string questions = folder_ / "questions.jsonl";
  python("tools/choice_oracle.py", model() + " " + questions);
  const std::string eval = "eval " + model() + " --json --data choice:";
  const json right = json::parse(octet_cli(eval + questions, false).text);
  EXPECT_EQ(right["choice"]["questions"], 60);
  EXPECT_EQ(right["choice"]["accuracy"], 1.0);
  std::ifstream in(questions);
  std::string wrong;
  for (std::string line; std::getline(in, line);) {
    json question = json::parse(line);
    question["label"] = (question["label"].get<size_t>() + 1) % question["choices"].size();
    wrong += question.dump() + "\n";
  }
  const std::string other = eval + file("wrong.jsonl", wrong) + " --reference " + model();
  const json none = json::parse(octet_cli(other, false).text);
  EXPECT_EQ(none["choice"]["accuracy"], 0.0);
  EXPECT_EQ(none["choice"]["ref_accuracy"], 0.0);
  EXPECT_EQ(none["choice"]["flips"], 0);
  EXPECT_EQ(none["choice"]["mcnemar_p"], 1.0);
}

}  // namespace
}  // namespace octet::test
