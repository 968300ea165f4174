// The weight files of a directory that is being written: laid out before any data.
#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/containers/safetensors.h"
#include "core/io/output_file.h"

namespace octet {

/// model.safetensors, or model-00001-of-0000n.safetensors with their index, in `directory`.
class ShardedOutput {
 public:
  /// tensors go into shards in this order, as many as fit into `shard_bytes` (a larger tensor has
  /// a shard of its own). Error when the disk has no room; nothing is made then.
  ShardedOutput(const std::filesystem::path& directory, const std::vector<TensorInfo>& tensors,
                uint64_t shard_bytes);
  /// True when every file stood before: what an earlier run wrote is there.
  bool resumed() const;
  /// From several threads.
  void write(const std::string& tensor, uint64_t offset, std::span<const std::byte> data) const;
  /// Returns when everything written before is on disk.
  void sync() const;
  /// Name of the file that holds a tensor.
  std::string file_of(const std::string& tensor) const;
  /// Writes model.safetensors.index.json where there is more than one file.
  void write_index() const;

 private:
  struct Place {
    size_t shard;
    SafetensorsLayout::Slot slot;
  };
  std::filesystem::path directory_;
  std::vector<std::unique_ptr<OutputFile>> files_;
  std::unordered_map<std::string, Place> places_;
};

}  // namespace octet
