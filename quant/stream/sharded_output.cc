#include "quant/stream/sharded_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/io/atomic_file.h"

namespace octet {
namespace {

std::vector<std::vector<TensorInfo>> cut(const std::vector<TensorInfo>& tensors,
                                         uint64_t shard_bytes) {
  std::vector<std::vector<TensorInfo>> shards(1);
  uint64_t held = 0;
  for (const TensorInfo& info : tensors) {
    const uint64_t bytes = byte_count(info);
    if (!shards.back().empty() && held + bytes > shard_bytes) {
      shards.emplace_back();
      held = 0;
    }
    shards.back().push_back(info);
    held += bytes;
  }
  return shards;
}

std::string shard_name(size_t i, size_t count) {
  if (count == 1) return "model.safetensors";
  return fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, count);
}

}  // namespace

ShardedOutput::ShardedOutput(const std::filesystem::path& directory,
                             const std::vector<TensorInfo>& tensors, uint64_t shard_bytes)
    : directory_(directory) {
  const auto shards = cut(tensors, shard_bytes);
  std::vector<std::filesystem::path> paths;
  std::vector<SafetensorsLayout> layouts;
  uint64_t missing = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    paths.push_back(directory / shard_name(i, shards.size()));
    layouts.emplace_back(paths.back(), shards[i]);
    for (const auto& [name, slot] : layouts.back().slots) places_[name] = {i, slot};
    const uint64_t held = allocated_bytes(paths.back());
    missing += layouts.back().size - std::min(held, layouts.back().size);
  }
  require_space(directory, missing);
  for (size_t i = 0; i < shards.size(); ++i) {
    files_.push_back(std::make_unique<OutputFile>(paths[i], layouts[i].size));
    files_[i]->write_at(0, std::as_bytes(std::span(layouts[i].header)));
  }
}

bool ShardedOutput::resumed() const {
  return std::all_of(files_.begin(), files_.end(),
                     [](const auto& file) { return file->resumed(); });
}

void ShardedOutput::write(const std::string& tensor, uint64_t offset,
                          std::span<const std::byte> data) const {
  const Place& place = places_.at(tensor);
  files_[place.shard]->write_at(place.slot.begin + offset, data);
}

void ShardedOutput::sync() const {
  for (const auto& file : files_) file->sync();
}

std::string ShardedOutput::file_of(const std::string& tensor) const {
  return files_[places_.at(tensor).shard]->path().filename();
}

void ShardedOutput::write_index() const {
  if (files_.size() == 1) return;
  uint64_t total = 0;
  nlohmann::json map = nlohmann::json::object();
  for (const auto& [name, place] : places_) {
    total += place.slot.size;
    map[name] = file_of(name);
  }
  const nlohmann::json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  write_file(directory_ / "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace octet
