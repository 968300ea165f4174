// Tokenizers inside GGUF files, the hostile ones among them.
#include "text/tokenizers/gguf_tokenizer.h"

#include <functional>

#include "tests/core/support.h"
#include "tests/text/tokenizer_gguf.h"
#include "text/tokenizers/tokenizer.h"

namespace octet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using namespace octet::testing;

/// Tokens a b ab <s> <u>, one merge, <s> control and <u> user-defined.
GgufKeys small_keys() {
  const json spec = json::parse(
      R"({"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]},
          "added_tokens":[{"id":3,"content":"<s>","special":true},{"id":4,"content":"<u>","special":false}]})");
  return tokenizer_keys(spec, "qwen2", "<s>");
}

class GgufTokenizer : public ::testing::Test {
 protected:
  std::unique_ptr<Tokenizer> open(const GgufKeys& keys) const {
    put(dir_ / "m.gguf", tokenizer_gguf(keys));
    const GgufFile file(dir_ / "m.gguf");
    return Tokenizer::from_json_text(tokenizer_json(file).dump(), (dir_ / "m.gguf").string(),
                                     tokenizer_config_json(file).dump());
  }
  /// The one line of the refusal; it names the file.
  std::string refusal(const std::function<void(GgufKeys&)>& spoil) const {
    GgufKeys keys = small_keys();
    spoil(keys);
    const std::string message = error_of([&] { open(keys); });
    EXPECT_THAT(message, HasSubstr("m.gguf"));
    EXPECT_THAT(message, ::testing::Not(HasSubstr("\n")));
    return message;
  }
  TempDir dir_;
};

TEST_F(GgufTokenizer, AddsBosAsTheFileOrItsRuleSays) {
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(open(small_keys())->encode("ab<u>a"), (Ids{2, 4, 0}));
  for (const char* pre : {"llama-bpe", "deepseek-r1-qwen"}) {
    GgufKeys keys = small_keys();
    keys["pre"].second = gguf_text(pre);
    EXPECT_EQ(open(keys)->encode("ab<u>a"), (Ids{3, 2, 4, 0})) << pre;
    keys["add_bos_token"] = {kGgufBool, raw(uint8_t{0})};
    EXPECT_EQ(open(keys)->encode("ab<u>a"), (Ids{2, 4, 0})) << pre;
  }
  GgufKeys keys = small_keys();
  keys["add_bos_token"] = {kGgufBool, raw(uint8_t{1})};
  EXPECT_EQ(open(keys)->encode("a"), (Ids{3, 0}));
}

TEST_F(GgufTokenizer, UnknownNamesListTheKnown) {
  const auto pre = [](GgufKeys& keys) { keys["pre"].second = gguf_text("viking"); };
  EXPECT_THAT(refusal(pre), HasSubstr("smollm, llama-bpe, qwen2, deepseek-r1-qwen"));
  EXPECT_THAT(refusal([](GgufKeys& keys) { keys["model"].second = gguf_text("llama"); }),
              HasSubstr("gpt2"));
}

TEST_F(GgufTokenizer, RefusesHostileMetadata) {
  const auto set = [this](const char* key, uint32_t kind, const std::string& value) {
    return refusal([&](GgufKeys& keys) { keys[key] = {kind, value}; });
  };
  for (const char* key : {"model", "pre", "tokens", "token_type", "merges"}) {
    EXPECT_THAT(refusal([&](GgufKeys& keys) { keys.erase(key); }), HasSubstr(key));
    EXPECT_THAT(set(key, kGgufBool, raw(uint8_t{1})), HasSubstr(key));
  }
  const auto tokens = [](std::vector<std::string> texts) { return gguf_texts(texts); };
  EXPECT_THAT(set("tokens", kGgufArray, gguf_i32s({1, 2})), HasSubstr("tokens"));
  EXPECT_THAT(set("tokens", kGgufArray, tokens({})), HasSubstr("an id below 0"));
  EXPECT_THAT(set("tokens", kGgufArray, tokens({"a", "b", "ab", "<s>", "a"})),
              HasSubstr("token 4 a second time"));
  EXPECT_THAT(set("tokens", kGgufArray, tokens({"a", "b", "ab", "<s>", "\xFF"})),
              HasSubstr("token 4 that is not UTF-8"));
  EXPECT_THAT(set("tokens", kGgufArray, tokens({"a", "b", "ab", "", "<u>"})),
              HasSubstr("added token of 0 bytes"));
  EXPECT_THAT(set("tokens", kGgufArray, tokens({"a", "b", "ab", std::string(5000, 'x'), "<u>"})),
              HasSubstr("added token of 5000 bytes"));
  EXPECT_THAT(set("token_type", kGgufArray, gguf_i32s({1, 1, 1, 3})), HasSubstr("4 token types"));
  EXPECT_THAT(set("token_type", kGgufArray, gguf_i32s({1, 1, 1, 3, 9})), HasSubstr("token type 9"));
  EXPECT_THAT(set("token_type", kGgufArray, tokens({"1", "1", "1", "3", "4"})),
              HasSubstr("token_type"));
  EXPECT_THAT(set("merges", kGgufArray, tokens({"a c"})), HasSubstr("\"c\""));
  EXPECT_THAT(set("merges", kGgufArray, tokens({"b a"})), HasSubstr("\"ba\""));
  EXPECT_THAT(set("merges", kGgufArray, tokens({"ab"})), HasSubstr("merge without two parts"));
  EXPECT_THAT(set("merges", kGgufArray, tokens({"a \xC0"})), HasSubstr("merge without two parts"));
  for (const int32_t id : {-1, 5, INT32_MAX}) {
    EXPECT_THAT(set("bos_token_id", kGgufI32, raw(id)), HasSubstr("an id below 5"));
    EXPECT_THAT(set("eos_token_id", kGgufI32, raw(id)), HasSubstr("an id below 5"));
  }
  EXPECT_THAT(set("bos_token_id", kGgufText, gguf_text("<s>")), HasSubstr("bos_token_id"));
  EXPECT_THAT(set("add_bos_token", kGgufI32, raw(int32_t{1})), HasSubstr("no truth value"));
  EXPECT_THAT(set("add_eos_token", kGgufBool, raw(uint8_t{1})),
              HasSubstr("add_eos_token without tokenizer.ggml.eos_token_id"));
}

}  // namespace
}  // namespace octet
