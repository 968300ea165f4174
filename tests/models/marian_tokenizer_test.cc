// MarianTokenizer against transformers' on sentencepiece models trained by the test, and against
// files that are damaged on purpose.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/json.h"
#include "core/random.h"
#include "tests/models/marian_toys.h"
#include "text/tokenizers/marian_tokenizer.h"
#include "text/tokenizers/sentencepiece_file.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class MarianTokenizerOracle : public testing::TestWithParam<const char*> {};

TEST_P(MarianTokenizerOracle, SameIdsAndText) {
  const json expected = read_json((spm_toys() / GetParam()).string() + ".json");
  const MarianTokenizer tokenizer(spm_toys() / GetParam(), expected["vocab"]);
  for (const json& row : expected["encoded"]) {
    const std::string text = row["text"];
    EXPECT_EQ(json(tokenizer.encode(text)), row["ids"]) << text;
    EXPECT_EQ(json(tokenizer.encode_target(text)), row["target_ids"]) << text;
  }
  for (const json& row : expected["decoded"]) {
    EXPECT_EQ(tokenizer.decode(row["ids"].get<std::vector<int64_t>>()),
              row["text"].get<std::string>())
        << row["ids"];
  }
  EXPECT_EQ(tokenizer.eos(), 0);
  EXPECT_EQ(tokenizer.unk(), 1);
  EXPECT_EQ(tokenizer.pad(), expected["vocab"].get<int64_t>() - 1);
}

INSTANTIATE_TEST_SUITE_P(Toys, MarianTokenizerOracle, testing::Values("unigram", "bpe", "odd"),
                         [](const auto& info) { return std::string(info.param); });

/// A copy of the unigram case whose files a test may spoil.
struct Copy {
  fs::path path = fs::path(testing::TempDir()) / ("octet-spm-copy-" + std::to_string(getpid()));
  int64_t vocab = read_json((spm_toys() / "unigram").string() + ".json")["vocab"];
  Copy() { fs::copy(spm_toys() / "unigram", path); }
  ~Copy() { fs::remove_all(path); }
  void write(const std::string& file, const std::string& text) const {
    std::ofstream(path / file, std::ios::binary) << text;
  }
  std::string refusal() const {
    try {
      const MarianTokenizer tokenizer(path, vocab);
    } catch (const Error& e) {
      return e.what();
    }
    return "accepted";
  }
};

TEST(MarianTokenizerOracle, BadVocabularies) {
  const Copy copy;
  EXPECT_EQ(copy.refusal(), "accepted");
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"[]", "no JSON object"},
      {"{\"a\": 0", "vocab.json"},
      {"{\"</s>\": 0, \"<unk>\": 1}", "no \"<pad>\""},
      {"{\"</s>\": 0, \"<unk>\": 1, \"<pad>\": 1}", "id 1 of"},
      {"{\"</s>\": 0, \"<unk>\": 1, \"<pad>\": 100000}", "token id 100000"},
      {"{\"</s>\": 0, \"<unk>\": -1, \"<pad>\": 2}", "token id -1"}};
  for (const auto& [text, found] : wrong) {
    copy.write("vocab.json", text);
    const std::string line = copy.refusal();
    EXPECT_NE(line.find(found), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
}

TEST(MarianTokenizerOracle, OtherSpecialTokens) {
  const Copy copy;
  copy.write("tokenizer_config.json", R"({"eos_token": {"content": ">>de<<"}, "pad_token": null})");
  const MarianTokenizer tokenizer(copy.path, copy.vocab);
  EXPECT_EQ(tokenizer.eos(), copy.vocab - 2);
  EXPECT_EQ(tokenizer.encode("").back(), copy.vocab - 2);
  copy.write("tokenizer_config.json", R"({"separate_vocabs": true})");
  EXPECT_NE(copy.refusal().find("separate_vocabs"), std::string::npos);
}

TEST(MarianTokenizerOracle, IdsAndSentencesHaveLimits) {
  const MarianTokenizer tokenizer(spm_toys() / "unigram",
                                  read_json((spm_toys() / "unigram").string() + ".json")["vocab"]);
  EXPECT_THROW(tokenizer.decode(std::vector<int64_t>{-1}), Error);
  EXPECT_THROW(tokenizer.decode(std::vector<int64_t>{1 << 20}), Error);
  EXPECT_THROW(tokenizer.encode(std::string((1 << 20) + 1, 'a')), Error);
  EXPECT_EQ(tokenizer.encode("\xff\xfe broken \xc3").back(), tokenizer.eos());
}

// Prefixes and 3,000 random changes: an Error, or a tokenizer that runs.
TEST(MarianTokenizerOracle, DamagedModelsAreNoCrash) {
  const Copy copy;
  const std::string whole = read_file(spm_toys() / "unigram" / "source.spm");
  int refused = 0;
  const auto attempt = [&](const std::string& model) {
    copy.write("source.spm", model);
    try {
      const MarianTokenizer tokenizer(copy.path, copy.vocab);
      for (const char* text : {"Hello, ﬁne world ①!", "日本 \xff", ""}) tokenizer.encode(text);
    } catch (const Error&) {
      ++refused;
    }
  };
  for (size_t size = 0; size < whole.size(); size += whole.size() / 50) {
    attempt(whole.substr(0, size));
  }
  EXPECT_GT(refused, 25);
  const Random random(7, "damage");
  for (uint64_t i = 0; i < 300; ++i) {
    std::string model = whole;
    for (uint64_t j = 0; j < 10; ++j) {
      const uint64_t bits = random.bits(10 * i + j);
      model[bits % model.size()] = static_cast<char>(bits >> 40);
    }
    attempt(model);
  }
}

std::string field(int number, const std::string& bytes) {
  std::string text(1, static_cast<char>(number << 3 | 2));
  for (size_t rest = bytes.size();; rest >>= 7) {
    if (rest < 128) {
      text += static_cast<char>(rest);
      break;
    }
    text += static_cast<char>((rest & 127) | 128);
  }
  return text + bytes;
}

/// A model of one piece with a table of replacements of these units.
std::string model_with(std::vector<uint32_t> units, const std::string& text) {
  units.resize(256, 0x80000000U);
  std::string table(4 + 4 * units.size(), '\0');
  const auto size = static_cast<uint32_t>(4 * units.size());
  std::memcpy(table.data(), &size, 4);
  std::memcpy(table.data() + 4, units.data(), size);
  return field(1, field(1, "a")) + field(3, field(2, table + text));
}

std::string refusal(const std::string& model) {
  try {
    check_sentencepiece(model, "x.spm");
  } catch (const Error& e) {
    return e.found();
  }
  return "accepted";
}

TEST(SentencepieceFile, Tables) {
  const auto unit = [](uint32_t offset, bool leaf, uint32_t label) {
    return offset << 10 | static_cast<uint32_t>(leaf) << 8 | label;
  };
  std::vector<uint32_t> units(256, 0x80000000U);
  units[0] = unit(1, false, 0);               // children at 1 ^ byte
  units[1 ^ 'A'] = unit('A' ^ 2, true, 'A');  // its leaf at 1 ^ 'A' ^ 'A' ^ 2 = 3
  units[3] = 0x80000000U;                     // replaced by the text at 0
  const std::string text("b\0", 2);
  EXPECT_EQ(refusal(model_with(units, text)), "accepted");
  units[3] = 0x80000002U;
  EXPECT_NE(refusal(model_with(units, text)).find("outside the file"), std::string::npos);
  units[3] = 0x80000000U;
  EXPECT_NE(refusal(model_with(units, std::string(2000, 'b'))).find("more than 1024"),
            std::string::npos);
  units[0] = unit(300, false, 0);
  EXPECT_NE(refusal(model_with(units, text)).find("points outside"), std::string::npos);
  units[0] = unit(1, false, 0);
  units[1 ^ 'A'] = unit('A', false, 'A');  // its children are the root's
  EXPECT_NE(refusal(model_with(units, text)).find("in circles"), std::string::npos);
}

TEST(SentencepieceFile, Fields) {
  const std::string piece = field(1, field(1, "a"));
  EXPECT_EQ(refusal(piece), "accepted");
  EXPECT_EQ(refusal("").substr(0, 7), "nothing");
  EXPECT_NE(refusal(field(2, "")).find("no pieces"), std::string::npos);
  EXPECT_NE(refusal(piece.substr(0, 3)).find("beyond the end"), std::string::npos);
  EXPECT_NE(refusal("\x0b").find("wire type 3"), std::string::npos);
  EXPECT_NE(refusal(std::string("\x02\x00", 2)).find("numbered 0"), std::string::npos);
  EXPECT_NE(refusal("\x08" + std::string(11, '\xff')).find("64 bits"), std::string::npos);
  EXPECT_NE(refusal(field(1, std::string("\x15\x00\x00\xc0\x7f", 5))).find("not finite"),
            std::string::npos);
}

}  // namespace
}  // namespace octet::test
