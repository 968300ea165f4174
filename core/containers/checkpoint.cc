#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/error.h"
#include "core/json.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

// A shard lies beside its index: its name must be a plain file name.
void check_shard_name(const std::string& shard, const fs::path& index) {
  if (shard.empty() || shard == "." || shard == ".." ||
      shard.find_first_of(std::string("/\\\0", 3)) != std::string::npos) {
    throw Error(fmt::format("shard name \"{}\" in {}", shard.c_str(), index.string()),
                "a file name without a folder",
                "do not use this checkpoint: its index is malformed");
  }
}

std::map<std::string, std::string> read_index(const fs::path& index) {
  const auto json = read_json(index.string());
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw Error(fmt::format("no weight_map in {}", index.string()),
                "an object that maps tensor names to shards", "download the index again");
  }
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : json["weight_map"].items()) {
    if (!shard.is_string()) {
      throw Error(fmt::format("a shard of type {} for tensor {} in {}", shard.type_name(), tensor,
                              index.string()),
                  "a file name", "download the index again");
    }
    check_shard_name(shard.get<std::string>(), index);
    shards[tensor] = shard.get<std::string>();
  }
  return shards;
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& directory) {
  if (fs::exists(directory / kSingle)) {
    files_.push_back(std::make_unique<SafetensorsFile>(directory / kSingle));
    for (const auto& [name, entry] : files_.back()->entries()) {
      tensors_.emplace(name, Location{files_.back().get(), entry});
    }
    return;
  }
  if (!fs::exists(directory / kIndex)) {
    throw Error(fmt::format("neither {} nor {} in {}", kSingle, kIndex, directory.string()),
                "a Hugging Face model directory with safetensors weights",
                "check the path, or convert the weights to safetensors");
  }
  std::map<std::string, const SafetensorsFile*> opened;
  for (const auto& [name, shard] : read_index(directory / kIndex)) {
    auto& file = opened[shard];
    if (file == nullptr) {
      if (!fs::exists(directory / shard)) {
        throw Error(fmt::format("no {} in {}", shard, directory.string()),
                    fmt::format("every shard that {} names", kIndex), "download the missing shard");
      }
      file = files_.emplace_back(std::make_unique<SafetensorsFile>(directory / shard)).get();
    }
    const auto found = file->entries().find(name);
    if (found == file->entries().end()) {
      throw Error(fmt::format("no tensor {} in {}", name, file->path().string()),
                  fmt::format("it there, as {} says", kIndex), "download index and shards again");
    }
    tensors_.emplace(name, Location{file, found->second});
  }
}

const TensorInfo& Checkpoint::info(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw Error(fmt::format("no tensor {} among {} in the checkpoint", name, tensors_.size()),
                "a checkpoint of the architecture its config.json names",
                "check the model directory");
  }
  return found->second.entry.info;
}

void Checkpoint::read(const std::string& name, std::span<std::byte> out) const {
  info(name);
  const auto& location = tensors_.at(name);
  location.file->read(location.entry, out);
}

}  // namespace octet
