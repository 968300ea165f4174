#include "models/fingerprint.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "core/hash.h"

namespace octet {
namespace {

constexpr uint64_t kBlock = 4096, kBlocks = 8;

// A tensor as it lies in its file.
struct StoredTensor {
  std::string label;  // name, type and shape
  const InputFile* file;
  uint64_t begin, size;
};

std::string label_of(const std::string& name, const auto& type, const std::vector<int64_t>& shape) {
  return fmt::format("\n{} {} {}", name, type, fmt::join(shape, ","));
}

std::vector<StoredTensor> stored_tensors(const Checkpoint& checkpoint) {
  std::vector<StoredTensor> tensors;
  for (const auto& [name, location] : checkpoint.tensors()) {
    const auto& [info, begin, end] = location.entry;
    tensors.push_back({label_of(name, octet::name(info.dtype), info.shape), &location.file->file(),
                       begin, end - begin});
  }
  return tensors;
}

std::vector<StoredTensor> stored_tensors(const GgufFile& file) {
  std::vector<StoredTensor> tensors;
  for (const auto& [name, tensor] : file.tensors()) {
    tensors.push_back({label_of(name, static_cast<uint32_t>(tensor.type), tensor.shape),
                       &file.file(), tensor.begin, tensor.size});
  }
  return tensors;
}

void add_text(Sha256& hash, const std::string& text) {
  hash.update(std::as_bytes(std::span(text)));
}

void add_sample(Sha256& hash, const StoredTensor& tensor, std::vector<std::byte>& buffer) {
  const bool whole = tensor.size <= kBlock * kBlocks;
  const uint64_t length = whole ? tensor.size : kBlock;
  for (uint64_t block = 0; block < (whole ? 1 : kBlocks); ++block) {
    const std::span<std::byte> bytes(buffer.data(), length);
    tensor.file->read_at(tensor.begin + (tensor.size - length) * block / (kBlocks - 1), bytes);
    hash.update(bytes);
  }
}

std::string hash_content(const nlohmann::json& config, const std::vector<StoredTensor>& tensors) {
  Sha256 hash;
  add_text(hash, config.dump());
  std::vector<std::byte> buffer(kBlock * kBlocks);
  for (const StoredTensor& tensor : tensors) {
    add_text(hash, tensor.label + "\n");
    add_sample(hash, tensor, buffer);
  }
  return kContentFingerprint + hash.hex();
}

std::string hash_names(std::string text, const std::vector<StoredTensor>& tensors,
                       uint64_t file_bytes) {
  for (const StoredTensor& tensor : tensors) text += tensor.label;
  return sha256(text + fmt::format("\n{}", file_bytes));
}

}  // namespace

std::string content_fingerprint(const nlohmann::json& config, const Checkpoint& checkpoint) {
  return hash_content(config, stored_tensors(checkpoint));
}

std::string content_fingerprint(const nlohmann::json& config, const GgufFile& file) {
  return hash_content(config, stored_tensors(file));
}

std::string names_fingerprint(const std::string& config, const Checkpoint& checkpoint,
                              uint64_t file_bytes) {
  return hash_names(config, stored_tensors(checkpoint), file_bytes);
}

std::string names_fingerprint(const std::string& config, const GgufFile& file,
                              uint64_t file_bytes) {
  return hash_names(config, stored_tensors(file), file_bytes);
}

}  // namespace octet
