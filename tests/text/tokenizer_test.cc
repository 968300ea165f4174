#include "text/tokenizers/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"
#include "core/random.h"
#include "text/tokenizers/normalizer.h"
#include "text/tokenizers/utf8.h"

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

/// Runs `use`; anything but an Error that says what it found fails the test.
template <typename Use>
bool refused(Use use) {
  try {
    use();
    return false;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("expected"), std::string::npos) << error.what();
    return true;
  }
}

void use(const std::string& spec) {
  const auto tokenizer = Tokenizer::from_json_text(spec, "test");
  tokenizer->decode(tokenizer->encode("a<s>bc ab 12\u00e9"));
}

/// Calls visit(node) for every value inside `node`, itself first.
template <typename Visit>
void each_node(json& node, Visit visit) {
  visit(node);
  if (!node.is_structured()) return;
  for (auto& child : node) each_node(child, visit);
}

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

TEST(Tokenizer, FormC) {
  const auto nfc = [](std::string_view text) {
    std::string storage;
    return std::string(to_nfc(text, storage));
  };
  EXPECT_EQ(nfc(""), "");
  EXPECT_EQ(nfc("plain ASCII text"), "plain ASCII text");
  EXPECT_EQ(nfc("12345678e\u0301x\u00e9"), "12345678\u00e9x\u00e9");
  EXPECT_EQ(nfc("o\u0302\u0323"), "\u1ed9");
  EXPECT_EQ(nfc("\u212b\u1112\u1161\u11ab \uf900"), "\u00c5\ud55c \u8c48");
  EXPECT_EQ(nfc("\u0301e\u0301"), "\u0301\u00e9");
  // Assigned in Unicode 14 with class 220: Hugging Face leaves it where it stands.
  EXPECT_EQ(nfc("a\u0301\u0899\u0316\u0301"), "\u00e1\u0899\u0316\u0301");
  std::string marks = "e", sorted = "\u00e9";
  for (int i = 0; i < 100000; ++i) marks += "\u0301";
  for (int i = 1; i < 100000; ++i) sorted += "\u0301";
  EXPECT_EQ(nfc(marks), sorted);
  EXPECT_EQ(nfc(std::string(100000, 'x') + "\u0327"), std::string(100000, 'x') + "\u0327");
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
        R"({"normalizer":{"type":"NFKC"}})",
        R"({"normalizer":7})",
        R"({"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]}})",
        R"({"normalizer":{"type":"Sequence","normalizers":{}}})",
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

TEST(TokenizerHostile, WrongTypesEverywhere) {
  int refusals = 0, nodes = 0;
  json spec = small();
  each_node(spec, [&](json& node) {
    ++nodes;
    const json right = node;
    for (const char* wrong : {"null", "true", "7", "-1", "1e308", "\"x\"", "[]", "{}", "[[]]",
                              "{\"type\":\"Sequence\"}", "{\"\":[null]}", "18446744073709551615"}) {
      node = json::parse(wrong);
      refusals += refused([&] { use(spec.dump()); }) ? 1 : 0;
    }
    node = right;
  });
  EXPECT_GT(nodes, 40);
  EXPECT_GT(refusals, 300);
}

TEST(TokenizerHostile, DamagedText) {
  const std::string whole = small().dump();
  const Random random(7, "tests/tokenizer");
  int refusals = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    std::string text = whole;
    for (uint64_t k = 0; k <= i % 3; ++k)
      text[random.below(8 * i + k, text.size())] = whole[random.below(8 * i + 4 + k, whole.size())];
    if (i % 10 == 9) text.resize(random.below(8 * i + 7, text.size()));
    refusals += refused([&] { use(text); }) ? 1 : 0;
  }
  EXPECT_GT(refusals, 2000);
}

TEST(TokenizerHostile, Nesting) {
  for (const char* kind :
       {"normalizer/normalizers", "pre_tokenizer/pretokenizers", "post_processor/processors"}) {
    const std::string names = kind;
    const size_t slash = names.find('/');
    for (const int depth : {3, 100000}) {
      json spec = small();
      const std::string inner = spec[names.substr(0, slash)].dump();
      spec[names.substr(0, slash)] = "HERE";
      std::string text = spec.dump(), before, after;
      for (int i = 0; i < depth; ++i) {
        before += R"({"type":"Sequence",")" + names.substr(slash + 1) + R"(":[)";
        after += "]}";
      }
      const std::string nested = inner == "null" ? R"({"type":"NFC"})" : inner;
      text.replace(text.find("\"HERE\""), 6, before + nested + after);
      EXPECT_EQ(refused([&] { use(text); }), depth > 3) << kind;
    }
  }
  json spec = small();
  json& steps = spec["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json::array()}};
  for (int i = 0; i < 1000; ++i) steps["pretokenizers"].push_back({{"type", "Digits"}});
  steps["pretokenizers"].push_back(small()["pre_tokenizer"]);
  EXPECT_TRUE(refused([&] { use(spec.dump()); }));
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
