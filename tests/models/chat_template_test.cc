// Conversations byte for byte as transformers writes them, and the templates that are refused.
#include "text/chat/chat_template.h"

#include <nlohmann/json.hpp>

#include "models/data/data.h"
#include "models/source_model.h"
#include "tests/core/support.h"
#include "tests/environment.h"

namespace octet {
namespace {

using nlohmann::json;
using testing::error_of;
using testing::get;
using ::testing::HasSubstr;
using testing::put;
using testing::TempDir;

constexpr const char* kBos = "<｜begin▁of▁sentence｜>";
constexpr const char* kChatMl =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}";

class ChatTemplates : public ::testing::Test {
 protected:
  void write(const std::string& name, const json& content) const {
    put(dir_ / name, content.dump());
  }
  void write_tokenizer() const {
    const json level = {{"type", "ByteLevel"},
                        {"add_prefix_space", false},
                        {"trim_offsets", true},
                        {"use_regex", true}};
    write(
        "tokenizer.json",
        {{"pre_tokenizer", level},
         {"decoder", level},
         {"added_tokens",
          {{{"id", 2},
            {"content", kBos},
            {"single_word", false},
            {"lstrip", false},
            {"rstrip", false},
            {"normalized", false},
            {"special", true}}}},
         {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}}}, {"merges", json::array()}}}});
  }
  TempDir dir_;
};

using ChatTemplatesOracle = ChatTemplates;

TEST_F(ChatTemplatesOracle, RenderedAsTransformersDoes) {
  write_tokenizer();
  ASSERT_EQ(std::system((test::python_binary() + " " + test::source_dir() +
                         "/tests/models/chat_templates.py " + dir_.path().string())
                            .c_str()),
            0);
  const json chats = json::parse(get(dir_ / "chats.json"));
  EXPECT_EQ(chats.size(), 7U);
  for (const auto& [family, conversations] : chats.items()) {
    const ChatTemplate known = open_chat_template(SourceModel(dir_ / family));
    std::string lines, expected;
    for (const json& conversation : conversations) {
      std::vector<ChatMessage> messages;
      for (const json& message : conversation[0])
        messages.push_back({message["role"], message["content"]});
      ASSERT_EQ(known.render(messages, kBos, "test"), conversation[1].get<std::string>())
          << family << " " << conversation[0];
      lines += json{{"messages", conversation[0]}}.dump() + "\n";
      expected += conversation[1].get<std::string>();
    }
    put(dir_ / "chats.jsonl", lines);
    EXPECT_EQ(open_text(SourceModel(dir_ / family), "jsonl:" + (dir_ / "chats.jsonl").string()),
              expected);
  }
}

TEST_F(ChatTemplates, WhiteSpaceQuotesAndCommentsMayDiffer) {
  using Family = ChatTemplate::Family;
  EXPECT_EQ(ChatTemplate::recognise(kChatMl, "m").family(), Family::kQwen2);
  EXPECT_EQ(
      ChatTemplate::recognise(
          "{#- a comment #}{%- for message in messages -%}\n"
          "{%- if loop.first and messages[0][\"role\"] != \"system\" -%}\n  {{- "
          "\"<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n\" -}}{%- endif %}\n"
          "{{- \"<|im_start|>\" + message.role + \"\\n\" + message.content + \"<|im_end|>\" + "
          "\"\\n\" -}}{%- endfor -%}",
          "m")
          .family(),
      Family::kQwen2);
}

TEST_F(ChatTemplates, OthersAreRefused) {
  std::string other = kChatMl;
  other.replace(other.find("helpful"), 7, "useless");
  std::string turn = kChatMl;
  turn.replace(turn.find("'<|im_end|>'"), 12, "'<|eot_id|>'");
  for (const std::string& source :
       {other, turn, std::string(), std::string("{{ messages }}"), std::string("{# {{"),
        std::string("{{ '"), std::string("{{ '\\"),
        std::string("{% for m in messages %}[INST]{{m['content']}}[/INST]{% endfor %}")}) {
    EXPECT_THAT(error_of([&] { ChatTemplate::recognise(source, "some/model"); }),
                ::testing::AllOf(HasSubstr("unknown chat template in some/model"),
                                 HasSubstr("Llama 3, Qwen2 or 2.5, SmolLM2 or DeepSeek-R1")));
  }
}

TEST_F(ChatTemplates, BadConversationsAreNamed) {
  const ChatTemplate known = ChatTemplate::recognise(kChatMl, "m");
  const std::vector<ChatMessage> tool = {{"user", "q"}, {"tool", "r"}};
  EXPECT_THAT(error_of([&] { known.render(tool, "", "d.jsonl line 3"); }),
              ::testing::AllOf(HasSubstr("\"tool\""), HasSubstr("d.jsonl line 3")));
  EXPECT_THAT(error_of([&] { known.render({}, "", "d.jsonl line 3"); }), HasSubstr("no message"));
}

TEST_F(ChatTemplates, FoundWhereCheckpointsKeepThem) {
  const auto refusal = [this] {
    return error_of([&] { open_chat_template(SourceModel(dir_.path())); });
  };
  EXPECT_THAT(refusal(), HasSubstr("no chat template"));
  for (const char* config :
       {"{}", R"({"chat_template":7})", R"({"chat_template":[{"name":"default"}]})", "[]"}) {
    put(dir_ / "tokenizer_config.json", config);
    EXPECT_THAT(refusal(), HasSubstr("no chat template"));
  }
  write("tokenizer_config.json", {{"chat_template", kChatMl}});
  EXPECT_EQ(open_chat_template(SourceModel(dir_.path())).family(), ChatTemplate::Family::kQwen2);
  write("tokenizer_config.json", {{"chat_template",
                                   {{{"name", "tool_use"}, {"template", "x"}},
                                    {{"name", "default"}, {"template", kChatMl}}}}});
  EXPECT_EQ(open_chat_template(SourceModel(dir_.path())).family(), ChatTemplate::Family::kQwen2);
  put(dir_ / "chat_template.jinja", "{{ messages }}");
  EXPECT_THAT(refusal(), HasSubstr("unknown chat template"));
}

TEST_F(ChatTemplates, PlainTextsNeedNone) {
  put(dir_ / "d.jsonl", "{\"text\":\"a\"}\n");
  EXPECT_EQ(open_text(SourceModel(dir_.path()), "jsonl:" + (dir_ / "d.jsonl").string()), "a");
  put(dir_ / "d.jsonl", R"({"messages":[{"role":"user","content":"q"}]})");
  EXPECT_THAT(error_of([&] {
                open_text(SourceModel(dir_.path()), "jsonl:" + (dir_ / "d.jsonl").string());
              }),
              HasSubstr("no chat template"));
}

}  // namespace
}  // namespace octet
