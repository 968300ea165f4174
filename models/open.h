// MODEL on any command line: a Hugging Face directory or a .gguf file.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/config.h"
#include "models/weights/weight_source.h"
#include "text/tokenizers/tokenizer.h"

namespace octet {

bool is_gguf(const std::filesystem::path& model);

/// config.json's text of either kind; Error when MODEL is neither.
std::string config_text(const std::filesystem::path& model);
ModelConfig open_config(const std::filesystem::path& model);

/// Float weights of either kind (not of a quantized directory: see quant/load_model.h).
std::shared_ptr<WeightSource> open_weights(const std::filesystem::path& model);

std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& model);

/// Identifies a model by its configuration and a sample of its weights (models/fingerprint.h), and
/// as octet did before: by names and sizes alone.
std::string model_fingerprint(const std::filesystem::path& model);
std::string older_fingerprint(const std::filesystem::path& model);

/// Bytes of the weight files (safetensors or GGUF) of a model.
uint64_t weight_file_bytes(const std::filesystem::path& model);

}  // namespace octet
