// Data of one record a line: texts, conversations, multiple-choice questions.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "datasets/data_spec.h"
#include "text/chat/chat_message.h"

namespace octet {

/// A conversation as the model's text. `where` (file and line) names it in errors.
using RenderFunction =
    std::function<std::string(std::span<const ChatMessage>, const std::string& where)>;

/// A multiple-choice question. An answer is the context followed directly by the choice.
struct ChoiceItem {
  std::string context;
  std::vector<std::string> choices;  ///< 2 to 64, none empty
  int64_t label = 0;                 ///< index of the right choice
};

constexpr uint64_t kMostData = uint64_t{1} << 31;  ///< bytes of a file, uncompressed

/// The records of choice:FILE, in order; lines of white space are skipped. Throws Error naming file
/// and line for what is no JSON object {"context": ..., "choices": [...], "label": ...} of these
/// types, for a label out of range, and for a file without records.
std::vector<ChoiceItem> read_choices(const DataSpec& spec, uint64_t limit = kMostData);

/// All of DATA as one text. text: as it is (invalid UTF-8 and a byte order mark are passed on).
/// jsonl: the "text" of all records with an empty line between them, or all "messages" as `render`
/// writes them, nothing between them. choice: each question with its right answer, an empty line
/// between them. Throws Error as read_choices does.
std::string read_text(const DataSpec& spec, const RenderFunction& render,
                      uint64_t limit = kMostData);

}  // namespace octet
