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

TEST(OptionsJson, EveryFieldWithItsType) {
  EXPECT_EQ(
      to_json(SampleOptions()).dump(),
      R"({"fast":true,"method":"absmax","model":"m","scale":0.5,"seed":5,"tasks":["a","b"]})");
}

}  // namespace
}  // namespace octet
