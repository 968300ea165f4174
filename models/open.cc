#include "models/open.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/json.h"
#include "models/fingerprint.h"
#include "models/weights/weight_sources.h"
#include "text/tokenizers/gguf_tokenizer.h"

namespace octet {
namespace fs = std::filesystem;

bool is_gguf(const fs::path& model) {
  return model.extension() == ".gguf";
}

std::string config_text(const fs::path& model) {
  if (is_gguf(model)) return config_json(GgufFile(model), "float16").dump();
  if (!fs::is_directory(model)) {
    throw Error(fmt::format("{} is neither a directory nor a .gguf file", model.string()),
                "a Hugging Face directory (config.json, *.safetensors) or a .gguf file",
                "check the path");
  }
  return read_file(model / "config.json", uint64_t{1} << 28);
}

ModelConfig open_config(const fs::path& model) {
  const std::string what = is_gguf(model) ? model.string() : (model / "config.json").string();
  return parse_config(parse_json(config_text(model), what), what);
}

std::shared_ptr<WeightSource> open_weights(const fs::path& model) {
  if (is_gguf(model)) return std::make_shared<GgufSource>(model);
  return std::make_shared<CheckpointSource>(model);
}

std::unique_ptr<Tokenizer> open_tokenizer(const fs::path& model) {
  if (is_gguf(model))
    return Tokenizer::from_json_text(tokenizer_json(GgufFile(model)).dump(), model.string());
  return Tokenizer::from_json_file((model / "tokenizer.json").string());
}

std::string model_fingerprint(const fs::path& model) {
  const nlohmann::json config = parse_json(config_text(model), model.string());
  if (is_gguf(model)) return content_fingerprint(config, GgufFile(model));
  return content_fingerprint(config, Checkpoint(model));
}

std::string older_fingerprint(const fs::path& model) {
  const std::string config = config_text(model);
  const uint64_t bytes = weight_file_bytes(model);
  if (is_gguf(model)) return names_fingerprint(config, GgufFile(model), bytes);
  return names_fingerprint(config, Checkpoint(model), bytes);
}

uint64_t weight_file_bytes(const fs::path& model) {
  if (!fs::is_directory(model)) return fs::file_size(model);
  uint64_t total = 0;
  for (const auto& entry : fs::directory_iterator(model)) {
    if (entry.path().extension() == ".safetensors") total += entry.file_size();
  }
  return total;
}

}  // namespace octet
