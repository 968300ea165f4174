#include "models/data/data.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/containers/gguf.h"
#include "core/error.h"
#include "core/io/input_file.h"
#include "core/json.h"
#include "datasets/records.h"
#include "models/source_model.h"
#include "text/tokenizers/tokenizer.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// "chat_template" of a tokenizer_config.json: a string, or an array of {"name", "template"}.
std::optional<std::string> configured_template(const json& config) {
  if (!config.is_object() || !config.contains("chat_template")) return std::nullopt;
  json chosen = config["chat_template"];
  if (chosen.is_array()) {
    for (const json& item : config["chat_template"]) {
      if (item.is_object() && item.contains("template") && item.value("name", json()) == "default")
        chosen = item["template"];
    }
  }
  if (!chosen.is_string()) return std::nullopt;
  return chosen.get<std::string>();
}

std::optional<std::string> template_of(const SourceModel& model) {
  if (model.is_gguf()) {
    const auto file = model.gguf();
    if (!file->has("tokenizer.chat_template")) return std::nullopt;
    return file->text("tokenizer.chat_template");
  }
  const fs::path own = model.path() / "chat_template.jinja",
                 config = model.path() / "tokenizer_config.json";
  if (fs::exists(own)) return read_file(own, uint64_t{1} << 24);
  if (!fs::exists(config)) return std::nullopt;
  return configured_template(read_json(config.string()));
}

// Opened at the first conversation: data of plain texts needs no template.
class Renderer {
 public:
  explicit Renderer(const SourceModel& model) : model_(model) {}

  std::string operator()(std::span<const ChatMessage> messages, const std::string& where) {
    if (!template_) {
      template_ = open_chat_template(model_);
      const Tokenizer& tokenizer = model_.tokenizer();
      if (const auto id = tokenizer.bos()) bos_ = tokenizer.decode({&*id, 1});
    }
    return template_->render(messages, bos_, where);
  }

 private:
  const SourceModel& model_;
  std::optional<ChatTemplate> template_;
  std::string bos_;
};

}  // namespace

ChatTemplate open_chat_template(const SourceModel& model) {
  const auto source = template_of(model);
  if (!source) {
    throw Error(fmt::format("no chat template in {}", model.path().string()),
                "chat_template.jinja, or \"chat_template\" in tokenizer_config.json",
                "give data with \"text\", or add the model's template");
  }
  return ChatTemplate::recognise(*source, model.path().string());
}

std::string open_text(const SourceModel& model, const std::string& data) {
  return read_text(parse_data_spec(data), Renderer(model));
}

TokenWindows cut_windows(const SourceModel& model, std::string_view text, int64_t length) {
  const Tokenizer& tokenizer = model.tokenizer();
  return {text, [&](std::string_view part) { return tokenizer.encode(part, false); }, length,
          tokenizer.adds_bos() ? tokenizer.bos() : std::nullopt};
}

}  // namespace octet
