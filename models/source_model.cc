#include "models/source_model.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/json.h"
#include "models/fingerprint.h"
#include "models/weights/checkpoint_tensors.h"
#include "models/weights/gguf_tensors.h"
#include "models/weights/weight_sources.h"
#include "text/tokenizers/gguf_tokenizer.h"
#include "text/tokenizers/tokenizer.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

// Beyond this, what has been read would only push out what is still to be written.
constexpr uint64_t kCacheable = uint64_t{1} << 30;

template <typename T, typename Read>
const T& once(std::optional<T>& part, Read&& read) {
  if (!part) part.emplace(read());
  return *part;
}

}  // namespace

struct SourceModel::Parts {
  std::optional<std::string> text, fingerprint;
  std::optional<nlohmann::json> json;
  std::optional<ModelConfig> config;
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const GgufFile> gguf;
  std::unique_ptr<Tokenizer> tokenizer;
};

SourceModel::SourceModel(fs::path path)
    : path_(std::move(path)), parts_(std::make_unique<Parts>()) {}

SourceModel::~SourceModel() = default;

const std::string& SourceModel::config_text() const {
  return once(parts_->text, [this] {
    if (is_gguf()) return octet::config_json(*gguf(), "float16").dump();
    if (!fs::is_directory(path_)) {
      throw Error(fmt::format("{} is neither a directory nor a .gguf file", path_.string()),
                  "a Hugging Face directory (config.json, *.safetensors) or a .gguf file",
                  "check the path");
    }
    return read_file(config_name(), uint64_t{1} << 28);
  });
}

const nlohmann::json& SourceModel::config_json() const {
  return once(parts_->json, [this] { return parse_json(config_text(), config_name()); });
}

const ModelConfig& SourceModel::config() const {
  return once(parts_->config, [this] { return parse_config(config_json(), config_name()); });
}

std::string SourceModel::config_name() const {
  return (is_gguf() ? path_ : path_ / "config.json").string();
}

std::shared_ptr<const Checkpoint> SourceModel::checkpoint() const {
  if (!parts_->checkpoint) parts_->checkpoint = std::make_shared<Checkpoint>(path_);
  return parts_->checkpoint;
}

std::shared_ptr<const GgufFile> SourceModel::gguf() const {
  if (!parts_->gguf) parts_->gguf = std::make_shared<GgufFile>(path_);
  return parts_->gguf;
}

const std::string& SourceModel::fingerprint() const {
  return once(parts_->fingerprint, [this] {
    if (is_gguf()) return content_fingerprint(config_json(), *gguf());
    return content_fingerprint(config_json(), *checkpoint());
  });
}

std::string SourceModel::older_fingerprint() const {
  if (is_gguf()) return names_fingerprint(config_text(), *gguf(), weight_file_bytes());
  return names_fingerprint(config_text(), *checkpoint(), weight_file_bytes());
}

uint64_t SourceModel::weight_file_bytes() const {
  return octet::weight_file_bytes(path_);
}

std::shared_ptr<TensorSource> SourceModel::tensors() const {
  if (is_gguf()) return std::make_shared<GgufTensors>(gguf());
  return std::make_shared<CheckpointTensors>(checkpoint(), weight_file_bytes() > kCacheable);
}

std::shared_ptr<WeightSource> SourceModel::weights() const {
  if (is_gguf()) return std::make_shared<TensorWeights>(tensors());
  return std::make_shared<TensorWeights>(std::make_shared<CheckpointTensors>(checkpoint()));
}

const Tokenizer& SourceModel::tokenizer() const {
  std::unique_ptr<Tokenizer>& tokenizer = parts_->tokenizer;
  if (!tokenizer && is_gguf()) {
    tokenizer = Tokenizer::from_json_text(tokenizer_json(*gguf()).dump(), path_.string());
  } else if (!tokenizer) {
    tokenizer = Tokenizer::from_json_file(path_ / "tokenizer.json");
  }
  return *tokenizer;
}

uint64_t weight_file_bytes(const fs::path& path) {
  if (!fs::is_directory(path)) return fs::file_size(path);
  uint64_t total = 0;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == ".safetensors") total += entry.file_size();
  }
  return total;
}

}  // namespace octet
