// Which weights a model has: what ties a calibration or a half-done conversion to it.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/containers/gguf.h"
#include "core/containers/safetensors.h"

namespace octet {

/// In front of a fingerprint of content. Those of names have no prefix.
inline constexpr const char* kContentFingerprint = "v2:";

/// kContentFingerprint and the SHA-256 of the parsed config.json and, for every tensor in the order
/// of names, of its name, dtype, shape and stored bytes: all of them up to 32 KiB, otherwise eight
/// blocks of 4 KiB, the first, the last and six evenly between. The same value however the tensors
/// are spread over files. At most 32 KiB a tensor are read.
std::string content_fingerprint(const nlohmann::json& config, const Checkpoint& checkpoint);
std::string content_fingerprint(const nlohmann::json& config, const GgufFile& file);

/// The fingerprint that octet used before: SHA-256 of config.json's text, of every tensor's name,
/// dtype and shape, and of `file_bytes`, the size of the weight files. It does not tell two
/// fine-tunes of one model apart.
std::string names_fingerprint(const std::string& config, const Checkpoint& checkpoint,
                              uint64_t file_bytes);
std::string names_fingerprint(const std::string& config, const GgufFile& file, uint64_t file_bytes);

}  // namespace octet
