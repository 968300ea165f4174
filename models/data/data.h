// DATA on a command line, as a model reads it.
#pragma once
#include <string>

#include "datasets/text.h"
#include "text/chat/chat_template.h"

namespace octet {

class SourceModel;

/// The chat template of a Hugging Face directory (chat_template.jinja, else tokenizer_config.json,
/// of several the one named "default") or a .gguf file. Error when there is none or it is unknown.
ChatTemplate open_chat_template(const SourceModel& model);

/// All of DATA as one text; conversations are written by `model`'s chat template, which is not
/// looked at otherwise.
std::string open_text(const SourceModel& model, const std::string& data);

/// `text` in windows of `length` tokens as `model`'s tokenizer cuts it, each behind a BOS if the
/// tokenizer adds one.
TokenWindows cut_windows(const SourceModel& model, std::string_view text, int64_t length);

}  // namespace octet
