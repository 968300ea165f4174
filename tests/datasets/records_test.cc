#include "datasets/records.h"

#include <zlib.h>

#include <fstream>

#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::put;
using testing::TempDir;

std::string roles(std::span<const ChatMessage> messages, const std::string&) {
  std::string out;
  for (const ChatMessage& message : messages) out += message.role + "=" + message.content + ";";
  return out;
}

class Records : public ::testing::Test {
 protected:
  DataSpec spec(const std::string& kind, const std::string& bytes) const {
    put(dir_ / "d.jsonl", bytes);
    return parse_data_spec(kind + ":" + (dir_ / "d.jsonl").string());
  }
  std::string text(const std::string& kind, const std::string& bytes) const {
    return read_text(spec(kind, bytes), roles);
  }
  /// The refusal: one line that names the file.
  std::string refusal(const std::string& kind, const std::string& bytes) const {
    const std::string message = error_of([&] { text(kind, bytes); });
    EXPECT_THAT(message, HasSubstr("d.jsonl"));
    EXPECT_THAT(message, Not(HasSubstr("\n")));
    return message;
  }
  TempDir dir_;
};

TEST_F(Records, TextsAreJoinedByAnEmptyLine) {
  EXPECT_EQ(text("jsonl", "{\"text\":\"a\\u00e9\"}\n\n \r\n{\"id\":1,\"text\":\"b\"}"),
            "a\u00e9\n\nb");
  EXPECT_EQ(text("text", "{\"text\":\"a\"}\n"), "{\"text\":\"a\"}\n");
}

TEST_F(Records, ConversationsFollowEachOther) {
  EXPECT_EQ(text("jsonl",
                 R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":""}]})"
                 "\n"
                 R"({"messages":[{"role":"user","content":"r","tool_calls":[]}]})"
                 "\n"),
            "user=q;assistant=;user=r;");
}

TEST_F(Records, GzipIsUnpacked) {
  const std::string path = dir_ / "d.jsonl.gz";
  gzFile file = ::gzopen(path.c_str(), "wb");
  ::gzputs(file, "{\"text\":\"packed\"}\n");
  ::gzclose(file);
  EXPECT_EQ(read_text(parse_data_spec("jsonl:" + path), roles), "packed");
}

TEST_F(Records, BadLinesAreNamed) {
  const std::string good = "{\"text\":\"a\"}\n";
  EXPECT_THAT(refusal("jsonl", good + "\n{\"text\":\"a\n"), HasSubstr("d.jsonl line 3"));
  EXPECT_THAT(refusal("jsonl", good + "{\"text\":\"\xFF\"}\n"), HasSubstr("d.jsonl line 2"));
  EXPECT_THAT(refusal("jsonl", good + "[1]\n"), HasSubstr("a JSON array in"));
  EXPECT_THAT(refusal("jsonl", good + "{\"txt\":\"a\"}\n"),
              HasSubstr("neither \"text\" nor \"messages\" in"));
  EXPECT_THAT(refusal("jsonl", good + "{\"text\":\"a\",\"text\":\"b\"}\n"),
              HasSubstr("duplicate key"));
  EXPECT_THAT(refusal("jsonl", good + "{\"text\":7}\n"), HasSubstr("\"text\" that is a number"));
  EXPECT_THAT(refusal("jsonl", "{\"text\":\"a\",\"messages\":[]}\n"), HasSubstr("both"));
  EXPECT_THAT(refusal("jsonl", good + R"({"messages":[{"role":"user","content":"q"}]})"),
              HasSubstr("in one file in"));
}

TEST_F(Records, BadMessagesAreNamed) {
  for (const auto& [messages, found] : std::initializer_list<std::pair<const char*, const char*>>{
           {"[]", "without a message"},
           {"{}", "without a message"},
           {"[7]", "a message that is a number"},
           {R"([{"content":"q"}])", "no \"role\""},
           {R"([{"role":"user"}])", "no \"content\""},
           {R"([{"role":"user","content":null}])", "\"content\" that is a null"},
           {R"([{"role":"user","content":[{"type":"text"}]}])", "\"content\" that is a array"},
           {R"([{"role":"assistant","content":"","tool_calls":[{}]}])", "tool_calls"}}) {
    EXPECT_THAT(refusal("jsonl", "{\"messages\":" + std::string(messages) + "}"),
                ::testing::AllOf(HasSubstr(found), HasSubstr("line 1")))
        << messages;
  }
}

TEST_F(Records, EmptyFilesAreRefused) {
  for (const char* kind : {"text", "jsonl", "choice"}) {
    EXPECT_THAT(refusal(kind, ""), HasSubstr("empty data"));
    EXPECT_THAT(refusal(kind, std::string(5, '\0')), HasSubstr("empty data"));
  }
  EXPECT_THAT(refusal("jsonl", "\n \n"), HasSubstr("no record"));
  EXPECT_THAT(refusal("choice", "\n \n"), HasSubstr("no record"));
  EXPECT_THAT(refusal("jsonl", "{\"text\":\"\"}\n{\"text\":\"\"}\n"), HasSubstr("empty texts"));
}

TEST_F(Records, ChoicesAreRead) {
  const std::string line = R"({"context":"2+2 =","choices":[" 4"," 5"," 6"],"label":1})";
  const auto items = read_choices(spec("choice", line + "\n" + line + "\n"));
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[1].context, "2+2 =");
  EXPECT_EQ(items[1].choices, (std::vector<std::string>{" 4", " 5", " 6"}));
  EXPECT_EQ(items[1].label, 1);
  EXPECT_EQ(text("choice", line + "\n" + line), "2+2 = 5\n\n2+2 = 5");
}

TEST_F(Records, BadChoicesAreNamed) {
  const std::string good = "{\"context\":\"c\",\"choices\":[\"a\",\"b\"],\"label\":0}\n";
  const auto second = [&](const std::string& line) { return refusal("choice", good + line); };
  for (const auto& [line, found] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"choices":["a","b"],"label":0})", "no \"context\""},
           {R"({"context":" \n","choices":["a","b"],"label":0})", "an empty \"context\""},
           {R"({"context":"c","label":0})", "no \"choices\""},
           {R"({"context":"c","choices":["a"],"label":0})", "\"choices\" with 1 entries"},
           {R"({"context":"c","choices":"ab","label":0})", "\"choices\" with 0 entries"},
           {R"({"context":"c","choices":["a",""],"label":0})", "a choice without text"},
           {R"({"context":"c","choices":["a",7],"label":0})", "a choice without text"},
           {R"({"context":"c","choices":["a","b"]})", "no \"label\""},
           {R"({"context":"c","choices":["a","b"],"label":2})", "label 2"},
           {R"({"context":"c","choices":["a","b"],"label":-1})", "label -1"},
           {R"({"context":"c","choices":["a","b"],"label":"0"})", "label \"0\""},
           {R"({"context":"c","choices":["a","b"],"label":1e99})", "label 1e+99"},
           {R"({"context")", "invalid JSON"}}) {
    EXPECT_THAT(second(line), ::testing::AllOf(HasSubstr(found), HasSubstr("line 2"))) << line;
  }
}

}  // namespace
}  // namespace octet
