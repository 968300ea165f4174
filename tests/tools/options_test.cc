// From options to a command line and back, and the flags of octet run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "tests/tools/support.h"
#include "tools/command.h"
#include "tools/pipeline/run.h"

namespace octet::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

std::unique_ptr<Command> command_of(const std::string& name) {
  for (auto& command : commands()) {
    if (command->name() == name) return std::move(command);
  }
  throw std::runtime_error("no command " + name);
}

nlohmann::json parsed(const std::string& name, const Words& arguments) {
  const auto command = command_of(name);
  CommonOptions common;
  parse_arguments(*command, common, arguments);
  return to_json(command->options());
}

// What a shell makes of a line without line breaks.
Words words_of(const std::string& line) {
  const Output output = shell("printf '%s\\n' " + line, false);
  EXPECT_EQ(output.code, 0);
  Words words;
  std::stringstream stream(output.text);
  for (std::string word; std::getline(stream, word);) words.push_back(word);
  return words;
}

// Sets every field to something else than its default.
class Change : public OptionVisitor {
 public:
  void field(const char* name, const char*, std::string& value) override { value = text(name); }
  void field(const char*, const char*, int64_t& value) override { value = -value - 7; }
  void field(const char*, const char*, double& value) override { value = value / 3 + 1e-7; }
  void field(const char*, const char*, bool& value) override { value = true; }
  void field(const char* name, const char*, Words& value) override {
    value = {text(name), "-" + text(name), ".*down_proj=w8a16"};
  }
  void positional(const char* name, const char*, std::string& value) override {
    value = text(name);
  }
  void positional(const char* name, const char*, Words& value) override {
    value = {text(name), "-dashed", "plain"};
  }

 private:
  static std::string text(const std::string& name) { return "$(" + name + ") it's *\"~;\\"; }
};

TEST(OptionsCommandLine, EveryCommandParsesWhatItsOptionsPrint) {
  for (const auto& command : commands()) {
    const auto changed = command_of(command->name());
    Change change;
    changed->options().visit(change);
    const std::string line = shell_line(to_arguments(changed->options(), command->options()));
    EXPECT_EQ(parsed(command->name(), words_of(line)), to_json(changed->options())) << line;
  }
}

TEST(OptionsCommandLine, CommonOptionsToo) {
  CommonOptions given;
  given.device = "cuda:1", given.threads = 3;
  const Words arguments = to_arguments(given, CommonOptions());
  EXPECT_THAT(arguments, ElementsAre("--threads", "3", "--device", "cuda:1"));
  const auto command = command_of("inspect");
  CommonOptions common;
  parse_arguments(*command, common, arguments);
  EXPECT_EQ(to_json(common), to_json(given));
}

TEST(OptionsCommandLine, OfRunsAsPeopleTypeThem) {
  const Words runs[] = {
      {"model", "--data", "gettext:de", "--out", "report"},
      {"model dir/it's",
       "--calib-data",
       "text:a b.txt",
       "--eval-data",
       "$HOME/*.txt",
       "--out",
       "o",
       "--range",
       "percentile",
       "--percentile",
       "99.9",
       "--samples",
       "3",
       "--calib-length",
       "17",
       "--eval-length",
       "33",
       "--windows",
       "0",
       "--seed",
       "7",
       "--beam",
       "1"},
      {"m",
       "--layer",
       ".*down_proj=w8a16",
       "--layer",
       "(a|b)=fp16",
       "--ignore",
       ".*\\.0\\..*",
       "--outlier-ratio",
       "0.30000000000000004",
       "--finetune",
       "12",
       "--lr",
       "3e-06",
       "--batch-tokens",
       "512",
       "--learn-scales",
       "--head",
       "w8a8",
       "--schemes",
       "w4a16-g64"},
      {"m", "--windows", "-5", "--name", "-", "--range", ""},
  };
  for (const Words& typed : runs) {
    const auto command = command_of("run");
    CommonOptions common;
    parse_arguments(*command, common, typed);
    const std::string line = shell_line(to_arguments(command->options(), RunOptions()));
    EXPECT_EQ(parsed("run", words_of(line)), to_json(command->options())) << line;
  }
}

TEST(OptionsCommandLine, LeavesOutWhatIsAsItWouldBe) {
  RunOptions options;
  options.quantize.model = "m", options.out = "o", options.quantize.head = "w8a8";
  EXPECT_EQ(shell_line(to_arguments(options, RunOptions())), "m --head w8a8 --out o");
}

TEST(OptionsCommandLine, FormerNamesAreAccepted) {
  for (const Words& given :
       {Words{"m", "--enough", "0.5"}, Words{"m", "--enough=0.5"}, Words{"m", "--min-kl", "0.5"}}) {
    const nlohmann::json options = parsed("finetune", given);
    EXPECT_EQ(options["min-kl"], 0.5);
    EXPECT_FALSE(options.contains("enough"));
  }
  EXPECT_THROW(parsed("finetune", {"m", "--enough", "1", "--min-kl", "2"}), UsageError);
  EXPECT_THROW(parsed("train", {"m", "--enough", "1"}), UsageError);
  EXPECT_EQ(parsed("calib merge", {"--out", "o", "--", "--enough"})["STORE"][0], "--enough");
  const auto finetune = command_of("finetune");
  EXPECT_THAT(help_text(*finetune), HasSubstr("--min-kl VALUE"));
  EXPECT_THAT(help_text(*finetune), Not(HasSubstr("enough")));
}

// Scripts and resumed folders rely on these.
TEST(RunOptions, FlagsAndDefaultsStay) {
  const nlohmann::json expected = {{"MODEL", ""},
                                   {"data", ""},
                                   {"calib-data", ""},
                                   {"train-data", ""},
                                   {"valid-data", ""},
                                   {"eval-data", ""},
                                   {"head", "keep"},
                                   {"out", ""},
                                   {"name", ""},
                                   {"range", "mse"},
                                   {"percentile", 99.99},
                                   {"samples", 128},
                                   {"calib-length", 512},
                                   {"eval-length", 1024},
                                   {"windows", -1},
                                   {"seed", 0},
                                   {"finetune", 0},
                                   {"finetune-schemes", ""},
                                   {"lr", 1e-5},
                                   {"batch-tokens", 2048},
                                   {"learn-scales", false},
                                   {"prefill", 512},
                                   {"decode", 64},
                                   {"items", 128},
                                   {"batch", 32},
                                   {"beam", 4},
                                   {"rounds", 5},
                                   {"outlier-ratio", 5.0},
                                   {"schemes", "w8a8-dynamic,w8a8-static,w8a16"},
                                   {"layer", Words()},
                                   {"ignore", Words()}};
  EXPECT_EQ(to_json(RunOptions()), expected);
}

// The help of each field.
class Help : public OptionVisitor {
 public:
  explicit Help(Options&& options) { options.visit(*this); }
  void field(const char* name, const char* help, std::string&) override { texts[name] = help; }
  void field(const char* name, const char* help, int64_t&) override { texts[name] = help; }
  void field(const char* name, const char* help, double&) override { texts[name] = help; }
  void field(const char* name, const char* help, bool&) override { texts[name] = help; }
  void field(const char* name, const char* help, Words&) override { texts[name] = help; }
  void positional(const char* name, const char* help, std::string&) override { texts[name] = help; }
  void positional(const char* name, const char* help, Words&) override { texts[name] = help; }
  std::map<std::string, std::string> texts;
};

TEST(RunOptions, HelpIsThatOfTheStages) {
  const Help run{RunOptions()}, calibrate{CalibrateOptions()}, quantize{QuantizeOptions()};
  for (const char* flag : {"MODEL", "head", "layer", "ignore", "outlier-ratio", "range"}) {
    EXPECT_EQ(run.texts.at(flag), quantize.texts.at(flag));
  }
  EXPECT_EQ(run.texts.at("samples"), "calibration: " + calibrate.texts.at("samples"));
  EXPECT_EQ(run.texts.at("calib-length"),
            "calibration and fine-tuning: " + calibrate.texts.at("length"));
}

TEST(Help, LinesAreAtMostAHundredColumns) {
  for (const auto& command : commands()) {
    std::istringstream help(help_text(*command));
    for (std::string line; std::getline(help, line) && line != "Examples:";) {
      EXPECT_LE(line.size(), 100U) << line;
    }
  }
}

TEST(Overview, NamesEveryCommandUnderATask) {
  const std::string text = overview_text();
  for (const auto& command : commands()) {
    EXPECT_THAT(text, HasSubstr("\n  " + command->name() + " ")) << command->name();
  }
  EXPECT_THAT(text, HasSubstr("\nCalibrate and quantize:\n  calibrate "));
  EXPECT_THAT(text, HasSubstr("\nFine-tune and train:\n  finetune "));
}

}  // namespace
}  // namespace octet::test
