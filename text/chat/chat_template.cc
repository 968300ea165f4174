#include "text/chat/chat_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "text/tokenizers/utf8.h"

namespace octet {
namespace {

using Family = ChatTemplate::Family;

constexpr const char* kKnown = "the template of Llama 3, Qwen2 or 2.5, SmolLM2 or DeepSeek-R1";
constexpr const char* kEndOfSentence = "<｜end▁of▁sentence｜>";

/// Expressions, as `canonical` writes them, that are all in the template of a family.
struct Marks {
  Family family;
  std::vector<const char*> all;
};

constexpr const char* kLlamaTurn =
    "'<|start_header_id|>'+message.role+'<|end_header_id|>\\n\\n'+message.content|trim+'<|eot_id|>"
    "'";
constexpr const char* kChatMlTurn =
    "'<|im_start|>'+message.role+'\\n'+message.content+'<|im_end|>'+'\\n'";

// The more particular first.
const std::vector<Marks>& known_marks() {
  static const std::vector<Marks> marks = {
      {Family::kLlama31,
       {kLlamaTurn, "{{bos_token}}", "messages[0].content|trim", "'26 Jul 2024'",
        "{{'<|start_header_id|>system<|end_header_id|>\\n\\n'}}",
        "{{'Cutting Knowledge Date: December 2023\\n'}}{{'Today Date: '+date_string+'\\n\\n'}}",
        "{{system_message}}{{'<|eot_id|>'}}"}},
      {Family::kLlama3, {kLlamaTurn, "loop.index0==0", "bos_token+content", "{{content}}"}},
      {Family::kQwen25,
       {kChatMlTurn, "{{'<|im_start|>system\\n'+messages[0].content+'<|im_end|>\\n'}}",
        "{{'<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
        "assistant.<|im_end|>\\n'}}"}},
      {Family::kQwen2,
       {kChatMlTurn, "loop.firstandmessages[0].role!='system'",
        "'<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n'"}},
      {Family::kSmolLm2,
       {kChatMlTurn, "loop.firstandmessages[0].role!='system'",
        "'<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
        "Face<|im_end|>\\n'"}},
      {Family::kDeepSeekR1Joined,
       {"{{bos_token}}{{ns.system_prompt}}", "{{'<｜User｜>'+message.content}}",
        "content.split('</think>')[-1]", "{{'<｜Assistant｜>'+content+'<｜end▁of▁sentence｜>'}}",
        "ns.system_prompt=ns.system_prompt+'\\n\\n'+message.content"}},
      {Family::kDeepSeekR1,
       {"{{bos_token}}{{ns.system_prompt}}", "{{'<｜User｜>'+message.content}}",
        "content.split('</think>')[-1]", "{{'<｜Assistant｜>'+content+'<｜end▁of▁sentence｜>'}}",
        "ns.system_prompt=message.content"}}};
  return marks;
}

bool starts(std::string_view text, size_t at, std::string_view mark) {
  return text.substr(at, mark.size()) == mark;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Without comments, and without white space outside of quotes; every quote is '; a line break
// inside quotes is \n; message['role'] is message.role; {%- is {%.
std::string canonical(std::string_view source) {
  std::string out;
  bool tag = false;
  char quote = 0;
  for (size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    if (quote != 0) {
      if (c == '\\' && i + 1 < source.size()) {
        out += {c, source[++i]};
      } else if (c == quote) {
        quote = 0;
        out += '\'';
      } else {
        out += c == '\n' ? "\\n" : std::string(1, c);
      }
      continue;
    }
    if (!tag && starts(source, i, "{#")) {
      i = std::min(source.find("#}", i), source.size()) + 1;
    } else if (starts(source, i, "{{") || starts(source, i, "{%")) {
      tag = true;
      out += source.substr(i++, 2);
      if (starts(source, i + 1, "-")) ++i;
    } else if (tag && (starts(source, i, "}}") || starts(source, i, "%}"))) {
      tag = false;
      if (out.ends_with('-')) out.pop_back();
      out += source.substr(i++, 2);
    } else if (tag && (c == '\'' || c == '"')) {
      quote = c;
      out += '\'';
    } else if (!is_white_space(static_cast<uint8_t>(c)) || static_cast<uint8_t>(c) >= 0x80) {
      out += c;
    }
  }
  for (const char* field : {"role", "content"})
    replace_all(out, fmt::format("['{}']", field), fmt::format(".{}", field));
  return out;
}

// Python's str.strip(): White_Space and the four separators U+001C to U+001F.
bool stripped(uint32_t code) {
  return is_white_space(code) || (code >= 0x1C && code <= 0x1F);
}

std::string_view trim(std::string_view text) {
  while (!text.empty()) {
    size_t next = 0;
    if (!stripped(next_code_point(text, next))) break;
    text.remove_prefix(next);
  }
  while (!text.empty()) {
    const size_t last = last_character(text);
    size_t at = last;
    if (!stripped(next_code_point(text, at))) break;
    text = text.substr(0, last);
  }
  return text;
}

std::string llama_turn(std::string_view role, std::string_view content) {
  return fmt::format("<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>", role, trim(content));
}

std::string llama3(std::span<const ChatMessage> messages, std::string_view bos) {
  std::string out(bos);
  for (const ChatMessage& message : messages) out += llama_turn(message.role, message.content);
  return out;
}

std::string llama31(std::span<const ChatMessage> messages, std::string_view bos) {
  std::string_view system;
  if (messages.front().role == "system") {
    system = trim(messages.front().content);
    messages = messages.subspan(1);
  }
  std::string out = fmt::format(
      "{}<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
      "Today Date: 26 Jul 2024\n\n{}<|eot_id|>",
      bos, system);
  return out + llama3(messages, "");
}

std::string chat_ml(std::span<const ChatMessage> messages, std::string_view system) {
  std::string out;
  const auto turn = [&out](std::string_view role, std::string_view content) {
    out += fmt::format("<|im_start|>{}\n{}<|im_end|>\n", role, content);
  };
  if (messages.front().role != "system") turn("system", system);
  for (const ChatMessage& message : messages) turn(message.role, message.content);
  return out;
}

std::string deepseek_r1(std::span<const ChatMessage> messages, std::string_view bos, bool joined) {
  std::string system, turns;
  bool first = true;
  for (const ChatMessage& message : messages) {
    if (message.role == "system") {
      system = joined && !first ? system + "\n\n" + message.content : message.content;
      first = false;
    } else if (message.role == "user") {
      turns += "<｜User｜>" + message.content;
    } else {
      constexpr std::string_view kThought = "</think>";
      const size_t thought = message.content.rfind(kThought);
      const size_t answer = thought == std::string::npos ? 0 : thought + kThought.size();
      turns += "<｜Assistant｜>" + message.content.substr(answer) + kEndOfSentence;
    }
  }
  return std::string(bos) + system + turns;
}

void check(std::span<const ChatMessage> messages, const std::string& where) {
  if (messages.empty()) {
    throw Error(fmt::format("no message in {}", where), "at least one", "remove that record");
  }
  for (const ChatMessage& message : messages) {
    if (message.role == "system" || message.role == "user" || message.role == "assistant") continue;
    throw Error(fmt::format("a message of \"{}\" in {}", message.role.substr(0, 40), where),
                "messages of system, user and assistant", "correct or remove that record");
  }
}

}  // namespace

ChatTemplate ChatTemplate::recognise(std::string_view source, const std::string& what) {
  const std::string text = canonical(source);
  for (const Marks& marks : known_marks()) {
    const auto found = [&text](const char* mark) { return text.find(mark) != std::string::npos; };
    if (std::all_of(marks.all.begin(), marks.all.end(), found)) return ChatTemplate(marks.family);
  }
  throw Error(fmt::format("an unknown chat template in {} (\"{}...\")", what,
                          canonical(source.substr(0, 80))),
              kKnown, "render the conversations yourself and give them as jsonl with \"text\"");
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages, std::string_view bos,
                                 const std::string& where) const {
  check(messages, where);
  switch (family_) {
    case Family::kLlama3:
      return llama3(messages, bos);
    case Family::kLlama31:
      return llama31(messages, bos);
    case Family::kQwen2:
      return chat_ml(messages, "You are a helpful assistant.");
    case Family::kQwen25:
      return chat_ml(messages,
                     "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.");
    case Family::kSmolLm2:
      return chat_ml(messages,
                     "You are a helpful AI assistant named SmolLM, trained by Hugging Face");
    case Family::kDeepSeekR1:
      return deepseek_r1(messages, bos, false);
    case Family::kDeepSeekR1Joined:
      return deepseek_r1(messages, bos, true);
  }
  return {};
}

}  // namespace octet
