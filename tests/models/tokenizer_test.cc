#include "models/tokenizers/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"
#include "models/tokenizers/utf8.h"

namespace octet {
namespace {

using nlohmann::json;

/// Bytes a b c, merges ab and abc, one special token.
json small() {
  return json::parse(R"({"added_tokens":[{"id":5,"content":"<s>","special":true}],"normalizer":null,
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
    "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
      {"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[5],"tokens":["<s>"]}}},
    "decoder":{"type":"ByteLevel"},
    "model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"ab":3,"abc":4},"merges":["a b",["ab","c"]]}})");
}

std::unique_ptr<Tokenizer> make(const json& spec, std::string_view config = {}) {
  return Tokenizer::from_json_text(spec.dump(), "test", config);
}

using Ids = std::vector<int32_t>;

TEST(Tokenizer, MergesInRankOrder) {
  const auto tokenizer = make(small());
  EXPECT_EQ(tokenizer->encode("abcab", false), (Ids{4, 3}));
  EXPECT_EQ(tokenizer->encode("cba<s>ab"), (Ids{5, 2, 1, 0, 5, 3}));
  EXPECT_EQ(tokenizer->encode("", false), Ids{});
  EXPECT_EQ(tokenizer->decode(Ids{5, 4, 3}), "<s>abcab");
  EXPECT_EQ(tokenizer->decode(Ids{5, 4, 3}, true), "abcab");
}

TEST(Tokenizer, SpecialTokens) {
  EXPECT_TRUE(make(small())->adds_bos());
  EXPECT_EQ(make(small())->bos(), 5);
  EXPECT_EQ(make(small())->eos(), std::nullopt);
  EXPECT_EQ(make(small(), R"({"eos_token":{"content":"<s>"}})")->eos(), 5);
  EXPECT_EQ(make(small())->vocab_size(), 6);
  EXPECT_EQ(make(small())->id("abc"), 4);
  EXPECT_EQ(make(small())->id("nothing"), std::nullopt);
}

TEST(Tokenizer, ThreadsShareOne) {
  const auto tokenizer = make(small());
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (int& count : right) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i)
        count += tokenizer->encode("abc" + std::string(i % 50, 'a'), false)[0] == 4;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, (std::vector<int>{2000, 2000, 2000, 2000}));
}

TEST(Tokenizer, LongWordIsNotQuadratic) {
  std::string word;
  for (int i = 0; i < 1000000; ++i) word += "ab";
  EXPECT_EQ(make(small())->encode(word, false), Ids(1000000, 3));
}

TEST(TokenizerHostile, IllFormedText) {
  EXPECT_EQ(lossy_utf8("a\xF0\x9F\x98"
                       "b\xC0\x80\xED\xA0\x80\xFF"),
            "a\uFFFD"
            "b\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(make(small())->encode("ab\xE2\x82", false), (Ids{3}));
}

TEST(TokenizerHostile, UnknownIds) {
  EXPECT_THROW(make(small())->decode(Ids{6}), Error);
  EXPECT_THROW(make(small())->decode(Ids{-1}), Error);
}

/// Each patch (RFC 7396) turns the small tokenizer into one that must be refused.
TEST(TokenizerHostile, Refused) {
  ASSERT_NO_THROW(make(small()));
  for (const char* patch :
       {R"({"model":{"vocab":{"d":4}}})",
        R"({"model":{"vocab":{"d":-1}}})",
        R"({"model":{"vocab":{"d":1.5}}})",
        R"({"model":{"vocab":{"d":4000000000}}})",
        R"({"model":{"vocab":{"d":99999999999999999999}}})",
        R"({"model":{"vocab":{"abc":null}}})",
        R"({"model":{"vocab":[]}})",
        R"({"model":null})",
        R"({"model":{"type":"WordPiece"}})",
        R"({"model":{"byte_fallback":true}})",
        R"({"model":{"dropout":0.1}})",
        R"({"model":{"unk_token":"?"}})",
        R"({"model":{"merges":["a"]}})",
        R"({"model":{"merges":["a b c"]}})",
        R"({"model":{"merges":["b a"]}})",
        R"({"model":{"merges":["a x"]}})",
        R"({"model":{"merges":[["a",1]]}})",
        R"({"model":{"merges":{}}})",
        R"({"normalizer":{"type":"NFC"}})",
        R"({"truncation":{"max_length":3}})",
        R"({"decoder":{"type":"WordPiece"}})",
        R"({"decoder":null})",
        R"({"pre_tokenizer":null})",
        R"({"pre_tokenizer":{"type":"Whitespace"}})",
        R"({"pre_tokenizer":{"type":"Digits"}})",
        R"({"pre_tokenizer":{"type":"Sequence","pretokenizers":7}})",
        R"({"added_tokens":[{"id":4,"content":"<s>"}]})",
        R"({"added_tokens":[{"id":5,"content":""}]})",
        R"({"added_tokens":[{"id":1000000000,"content":"x"}]})",
        R"({"added_tokens":[{"id":2,"content":"a"}]})",
        R"({"added_tokens":[{"id":5,"content":"x"},{"id":5,"content":"y"}]})",
        R"({"added_tokens":7})",
        R"({"post_processor":{"type":"BertProcessing"}})",
        R"({"post_processor":{"single":[]}})",
        R"({"post_processor":{"special_tokens":{"<s>":{"ids":[6]}}}})",
        R"({"post_processor":{"single":[{"SpecialToken":{"id":"?"}},{"Sequence":{"id":"A"}}]}})"}) {
    json spec = small();
    spec.merge_patch(json::parse(patch));
    EXPECT_THROW(make(spec), Error) << patch;
  }
  EXPECT_THROW(make(small(), R"({"bos_token":"nowhere"})"), Error);
}

TEST(TokenizerHostile, Patterns) {
  for (const char* pattern :
       {"(", "[a", "\\", "[a[b]]", "[^\\S]", "\\p{Han}", "\\p{", "\\w", "\\K", "a&&[", "\\C", ""}) {
    json spec = small();
    spec["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}},
          small()["pre_tokenizer"]}}};
    EXPECT_THROW(make(spec), Error) << pattern;
  }
  json spec = small();
  spec["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"}, {"pattern", {{"Regex", "(a+)+$|(a|a)*b"}}}, {"behavior", "Isolated"}},
        small()["pre_tokenizer"]}}};
  EXPECT_THROW(make(spec)->encode(std::string(5000, 'a') + "c"), Error);
}

}  // namespace
}  // namespace octet
