// safetensors: u64 header length, JSON header, data. Format: huggingface/safetensors, README
// "Format".
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/containers/tensor_info.h"
#include "core/io/atomic_file.h"
#include "core/io/input_file.h"

namespace octet {

/// One .safetensors file. The constructor checks the whole header (every rule of the Rust reference
/// implementation, and duplicate keys, JSON depth, rank and count limits) before anything is
/// allocated on its basis; any violation is an Error naming the file and the tensor.
class SafetensorsFile {
 public:
  struct Entry {
    TensorInfo info;
    uint64_t begin, end;  ///< byte range from the start of the file
  };
  explicit SafetensorsFile(const std::filesystem::path& path);
  const std::map<std::string, Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Reads a tensor's bytes; `out` must be exactly as long.
  void read(const Entry& entry, std::span<std::byte> out) const;
  /// The file itself, for reading in pieces.
  const InputFile& file() const { return file_; }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  InputFile file_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// All tensors of a Hugging Face directory: model.safetensors, or the shards that
/// model.safetensors.index.json names (names with a path separator, missing shards, and tensors
/// that are not where the index says are Errors). Reads headers only until read() is called.
class Checkpoint {
 public:
  explicit Checkpoint(const std::filesystem::path& directory);
  struct Location {
    const SafetensorsFile* file;
    SafetensorsFile::Entry entry;
  };
  const std::map<std::string, Location>& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  const TensorInfo& info(const std::string& name) const;  ///< Error when absent
  void read(const std::string& name, std::span<std::byte> out) const;

 private:
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Location> tensors_;
};

/// The layout of a .safetensors file, computed before any data exists. Layout as the Rust writer:
/// descending dtype alignment, then name; header padded with spaces to 8.
struct SafetensorsLayout {
  struct Slot {
    uint64_t begin, size;  ///< byte range in the file
  };
  /// `path` is for errors. transformers requires {"format":"pt"}.
  SafetensorsLayout(const std::filesystem::path& path, std::vector<TensorInfo> tensors,
                    const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
  std::string header;  ///< the first bytes of the file
  std::map<std::string, Slot> slots;
  uint64_t size = 0;  ///< of the file
};

/// Writes one .safetensors file: header first (so all tensors are declared at construction), then
/// the tensors in any order, each whole or in pieces; commit() checks that every byte was written.
/// Space is reserved at construction.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorInfo> tensors,
                    const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
  void write(const std::string& name, std::span<const std::byte> data, uint64_t offset = 0);
  void commit(bool durable = true);

 private:
  AtomicFile file_;
  SafetensorsLayout layout_;
  std::map<std::string, uint64_t> written_;
};

}  // namespace octet
