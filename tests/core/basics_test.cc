// json.h, random.h, hash.h, options.h.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/hash.h"
#include "core/json.h"
#include "core/options.h"
#include "core/random.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::put;
using testing::TempDir;

TEST(Json, StrictParsing) {
  EXPECT_EQ(parse_json(R"({"a":[1,{"b":2}],"c":{"b":3}})", "f")["c"]["b"], 3);
  for (const char* text : {"", "{", "[1,]", "{} {}", "\"\xff\"", "nan"}) {
    EXPECT_THAT(error_of([&] { parse_json(text, "cfg.json"); }), HasSubstr("cfg.json")) << text;
  }
  EXPECT_THAT(error_of([] { parse_json(std::string_view("{}\0x", 4), "f"); }), HasSubstr("NUL"));
  EXPECT_THAT(error_of([] { parse_json(R"({"a":{"x":1,"x":2}})", "f"); }),
              HasSubstr("duplicate key \"x\""));
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_NO_THROW(parse_json(nested(64), "f"));
  EXPECT_THAT(error_of([&] { parse_json(nested(70), "f"); }), HasSubstr("nested deeper than 64"));
}

TEST(Hash, KnownVectors) {
  EXPECT_EQ(sha256(std::string("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const TempDir dir;
  const std::string big((1 << 20) + 7, 'a');
  put(dir / "a", big);
  EXPECT_EQ(sha256_file(dir / "a"), sha256(big));
}

TEST(Random, DependsOnSeedPurposeAndIndexAlone) {
  const Random a(1, "x"), again(1, "x");
  EXPECT_EQ(a.bits(7), again.bits(7));
  EXPECT_NE(a.bits(7), a.bits(8));
  EXPECT_NE(a.bits(7), Random(2, "x").bits(7));
  EXPECT_NE(a.bits(7), Random(1, "y").bits(7));
}

TEST(Random, Distributions) {
  const Random random(3, "test");
  constexpr int kCount = 20000;
  double sum = 0, squares = 0, uniform = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    const double u = random.uniform(i), n = random.normal(i);
    ASSERT_TRUE(u >= 0 && u < 1);
    ASSERT_LT(random.below(i, 10), 10U);
    uniform += u;
    sum += n;
    squares += n * n;
  }
  // Five standard errors of each mean.
  EXPECT_NEAR(uniform / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(sum / kCount, 0.0, 5 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1.0, 5 * std::sqrt(2.0 / kCount));
  auto order = random.permutation(1000);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(order[i], i);
}

struct SampleOptions : Options {
  std::string model = "m", method = "absmax";
  int64_t seed = 5;
  double scale = 0.5;
  bool fast = true;
  std::vector<std::string> tasks{"a", "b"};
  void visit(OptionVisitor& visitor) override {
    visitor.positional("model", "the model", model);
    visitor.field("method", "the method", method);
    visitor.field("seed", "the seed", seed);
    visitor.field("scale", "the scale", scale);
    visitor.field("fast", "be fast", fast);
    visitor.field("tasks", "the tasks", tasks);
  }
};

// What a visitor is told, field by field.
class Recorder : public OptionVisitor {
 public:
  void field(const char* name, const char* help, std::string&) override { add(name, help); }
  void field(const char* name, const char* help, int64_t& value) override {
    add(name, help);
    value = 9;
  }
  void field(const char* name, const char* help, double&) override { add(name, help); }
  void field(const char* name, const char* help, bool&) override { add(name, help); }
  void field(const char* name, const char* help, std::vector<std::string>&) override {
    add(name, help);
  }
  void positional(const char* name, const char* help, std::string&) override { add(name, help); }
  void positional(const char* name, const char* help, std::vector<std::string>&) override {
    add(name, help);
  }
  void former_name(const char* former, const char* name) override { add(former, name); }
  std::string told;

 private:
  void add(const char* name, const char* help) { told += std::string(name) + ": " + help + "; "; }
};

struct FormerOptions : Options {
  std::string first, second;
  void visit(OptionVisitor& visitor) override {
    visitor.field("first", "one", first);
    visitor.former_name("eerste", "first");
    visitor.field("second", "two", second);
    visitor.former_name("tweede", "second");
  }
};

TEST(OptionsChosen, InTheGivenOrderUnderTheGivenNames) {
  SampleOptions options;
  Recorder recorder;
  visit_chosen(
      options,
      {{"seed", "start"}, {"model"}, {"scale", "", "of it: {}, in mm"}, {"fast", "", "no"}},
      recorder);
  EXPECT_EQ(recorder.told,
            "start: the seed; model: the model; scale: of it: the scale, in mm; fast: no; ");
  EXPECT_EQ(options.seed, 9) << "the field itself is handed on";
  EXPECT_THROW(visit_chosen(options, {{"speed"}}, recorder), std::logic_error);
}

TEST(OptionsChosen, FormerNamesGoWithTheirFieldUnlessItIsRenamed) {
  FormerOptions options;
  Recorder recorder;
  visit_chosen(options, {{"first"}, {"second", "other"}}, recorder);
  EXPECT_EQ(recorder.told, "first: one; eerste: first; other: two; ");
}

TEST(OptionsArguments, WhatDiffersFromTheDefaults) {
  SampleOptions defaults, options;
  defaults.fast = false, defaults.tasks.clear();
  options.method = "it's", options.scale = 0.1, options.tasks = {"-a", ""};
  options.model = "m n";
  const auto arguments = to_arguments(options, defaults);
  EXPECT_EQ(shell_line(arguments),
            R"('m n' --method 'it'\''s' --scale 0.1 --fast --tasks=-a --tasks '')");
  options.model = "-m";
  EXPECT_EQ(to_arguments(options, defaults).back(), "-m");
  EXPECT_EQ(to_arguments(options, defaults)[to_arguments(options, defaults).size() - 2], "--");
  EXPECT_EQ(shell_line({"a-B_1./:=,+@%", "", "$x", "a b"}), "a-B_1./:=,+@% '' '$x' 'a b'");
}

TEST(OptionsJson, EveryFieldWithItsType) {
  EXPECT_EQ(
      to_json(SampleOptions()).dump(),
      R"({"fast":true,"method":"absmax","model":"m","scale":0.5,"seed":5,"tasks":["a","b"]})");
}

}  // namespace
}  // namespace octet
