#include "datasets/records.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"
#include "core/json.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr size_t kMostChoices = 64;
constexpr const char* kRecordRemedy = "correct or remove that line (docs/data.md lists the fields)";

[[noreturn]] void refuse(const std::string& where, const std::string& found,
                         const std::string& expected) {
  throw Error(fmt::format("{} in {}", found, where), expected, kRecordRemedy);
}

bool blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\v\f") == std::string_view::npos;
}

// Calls take(record, where) for each line that is not blank; Error when there is none.
template <typename Take>
void each_record(const DataSpec& spec, uint64_t limit, Take take) {
  const std::string bytes = read_bytes(spec, limit);
  const std::string_view all = bytes;
  int64_t number = 0, records = 0;
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(all.find('\n', begin), all.size());
    const std::string_view line = all.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (blank(line)) continue;
    const std::string where = fmt::format("{} line {}", spec.path, number);
    const json record = parse_json(line, where);
    if (!record.is_object())
      refuse(where, fmt::format("a JSON {}", record.type_name()), "an object");
    take(record, where);
    ++records;
  }
  if (records == 0) {
    throw Error(fmt::format("no record in {} ({} bytes)", spec.path, bytes.size()),
                "a JSON object a line", "give a file with records in it");
  }
}

const json& need(const json& object, const char* key, const std::string& where) {
  const auto field = object.find(key);
  if (field == object.end()) refuse(where, fmt::format("no \"{}\"", key), "that field");
  return *field;
}

const std::string& text_field(const json& object, const char* key, const std::string& where) {
  const json& field = need(object, key, where);
  if (!field.is_string())
    refuse(where, fmt::format("\"{}\" that is a {}", key, field.type_name()), "a string");
  return field.get_ref<const std::string&>();
}

std::vector<ChatMessage> messages_of(const json& record, const std::string& where) {
  const json& list = need(record, "messages", where);
  if (!list.is_array() || list.empty())
    refuse(where, "\"messages\" without a message", "an array of {\"role\", \"content\"}");
  std::vector<ChatMessage> messages;
  for (const json& item : list) {
    if (!item.is_object())
      refuse(where, fmt::format("a message that is a {}", item.type_name()), "an object");
    const auto calls = item.find("tool_calls");
    if (calls != item.end() && !calls->empty())
      refuse(where, "a message with \"tool_calls\"", "messages of text alone");
    messages.push_back({text_field(item, "role", where), text_field(item, "content", where)});
  }
  return messages;
}

ChoiceItem choice_of(const json& record, const std::string& where) {
  ChoiceItem item;
  item.context = text_field(record, "context", where);
  if (item.context.find_first_not_of(" \t\r\n") == std::string::npos)
    refuse(where, "an empty \"context\"", "a text that the choices continue");
  const json& choices = need(record, "choices", where);
  if (!choices.is_array() || choices.size() < 2 || choices.size() > kMostChoices) {
    refuse(where,
           fmt::format("\"choices\" with {} entries", choices.is_array() ? choices.size() : 0),
           fmt::format("an array of 2 to {}", kMostChoices));
  }
  for (const json& choice : choices) {
    if (!choice.is_string() || choice.empty() || choice == "")
      refuse(where, "a choice without text", "choices that are strings, none empty");
    item.choices.push_back(choice.get<std::string>());
  }
  const json& label = need(record, "label", where);
  if (!label.is_number_integer() || label < 0 || label >= choices.size()) {
    refuse(where, fmt::format("label {}", label.dump().substr(0, 40)),
           fmt::format("the index of the right choice, 0 to {}", choices.size() - 1));
  }
  item.label = label.get<int64_t>();
  return item;
}

std::string read_jsonl(const DataSpec& spec, const RenderFunction& render, uint64_t limit) {
  std::string all;
  bool first = true, chat = false;
  each_record(spec, limit, [&](const json& record, const std::string& where) {
    const bool has_text = record.contains("text"), has_chat = record.contains("messages");
    if (has_text == has_chat) {
      refuse(where,
             has_text ? "both \"text\" and \"messages\"" : "neither \"text\" nor \"messages\"",
             "one of the two");
    }
    if (!first && has_chat != chat)
      refuse(where, "\"text\" and \"messages\" in one file", "the same field in all records");
    if (has_text && !first) all += "\n\n";
    all += has_text ? text_field(record, "text", where) : render(messages_of(record, where), where);
    first = false;
    chat = has_chat;
  });
  if (all.find_first_not_of('\n') == std::string::npos) {
    throw Error(fmt::format("empty texts in {}", spec.path), "text", "give a file with text in it");
  }
  return all;
}

}  // namespace

std::vector<ChoiceItem> read_choices(const DataSpec& spec, uint64_t limit) {
  std::vector<ChoiceItem> items;
  each_record(spec, limit, [&](const json& record, const std::string& where) {
    items.push_back(choice_of(record, where));
  });
  return items;
}

std::string read_text(const DataSpec& spec, const RenderFunction& render, uint64_t limit) {
  switch (spec.kind) {
    case DataKind::kText:
      return read_bytes(spec, limit);
    case DataKind::kJsonl:
      return read_jsonl(spec, render, limit);
    case DataKind::kChoice: {
      std::string all;
      for (const ChoiceItem& item : read_choices(spec, limit)) {
        if (!all.empty()) all += "\n\n";
        all += item.context + item.choices[static_cast<size_t>(item.label)];
      }
      return all;
    }
    default:
      refuse_kind(spec, "text:FILE, jsonl:FILE, choice:FILE or plain FILE");
  }
}

}  // namespace octet
