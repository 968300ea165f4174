// The MODEL of a command line, opened once: a Hugging Face directory or a .gguf file.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/config.h"

namespace octet {

class Checkpoint;
class GgufFile;
class TensorSource;
class Tokenizer;
class WeightSource;

/// Everything that stages read of a model. Each part is read when it is first asked for and kept;
/// the first use of a part must not be by two threads at once. A model that octet cannot execute
/// can be opened as well; only config() is an Error then. Sources and containers that it gives
/// outlive it.
class SourceModel {
 public:
  explicit SourceModel(std::filesystem::path path);
  ~SourceModel();
  SourceModel(const SourceModel&) = delete;
  SourceModel& operator=(const SourceModel&) = delete;

  const std::filesystem::path& path() const { return path_; }
  bool is_gguf() const { return path_.extension() == ".gguf"; }

  /// config.json's text; of a .gguf file what transformers would write. Error when the path is
  /// neither.
  const std::string& config_text() const;
  const nlohmann::json& config_json() const;
  /// Error for what octet cannot execute.
  const ModelConfig& config() const;
  /// Where the configuration stands, for errors.
  std::string config_name() const;

  /// The headers of a directory's weights, and of a .gguf file.
  std::shared_ptr<const Checkpoint> checkpoint() const;
  std::shared_ptr<const GgufFile> gguf() const;
  /// Identifies the model by its content; older_fingerprint() identifies it as earlier versions
  /// did, only by names and sizes (models/fingerprint.h).
  const std::string& fingerprint() const;
  std::string older_fingerprint() const;
  /// Of safetensors or GGUF.
  uint64_t weight_file_bytes() const;

  /// For conversion: tensors of a directory as stored, of a .gguf file as float16. Data read from
  /// large files does not have to stay in the page cache.
  std::shared_ptr<TensorSource> tensors() const;
  /// For execution: the same as tensors of torch. Not of a quantized directory: see
  /// quant/load_model.h.
  std::shared_ptr<WeightSource> weights() const;

  const Tokenizer& tokenizer() const;

 private:
  struct Parts;
  std::filesystem::path path_;
  std::unique_ptr<Parts> parts_;
};

/// Bytes of the weight files (safetensors or GGUF) at `path`.
uint64_t weight_file_bytes(const std::filesystem::path& path);

}  // namespace octet
