#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/error.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

constexpr const char* kMetadata = "__metadata__";
constexpr uint64_t kMaxData = uint64_t{1} << 62;  // header and data fit off_t

// Descending dtype (the enumeration ascends by alignment), then name.
void sort_as_reference(std::vector<TensorInfo>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
  });
}

std::string header_text(const nlohmann::ordered_json& header, const fs::path& path) {
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(fmt::format("a name or metadata text that is not UTF-8 for {}", path.string()),
                "UTF-8", "rename the tensor or correct the text");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

SafetensorsLayout::SafetensorsLayout(const fs::path& path, std::vector<TensorInfo> tensors,
                                     const std::map<std::string, std::string>& metadata) {
  sort_as_reference(tensors);
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!metadata.empty()) json[kMetadata] = metadata;
  uint64_t end = 0;
  for (const auto& info : tensors) {
    const uint64_t bytes = byte_count(info);
    if (info.name == kMetadata || !slots.emplace(info.name, Slot{end, bytes}).second) {
      throw Error(fmt::format("tensor {} twice or reserved, for {}", info.name, path.string()),
                  "unique tensor names", "rename one of them");
    }
    json.push_back({info.name,
                    {{"dtype", name(info.dtype)},
                     {"shape", info.shape},
                     {"data_offsets", {end, end + bytes}}}});
    if (__builtin_add_overflow(end, bytes, &end) || end > kMaxData) {
      throw Error(fmt::format("more than 2^62 bytes of tensors for {}", path.string()),
                  "a size that fits a file", "check the shapes");
    }
  }
  const std::string text = header_text(json, path);
  const uint64_t length = text.size();
  header = std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
  for (auto& [name, slot] : slots) slot.begin += header.size();
  size = header.size() + end;
}

SafetensorsWriter::SafetensorsWriter(const fs::path& path, std::vector<TensorInfo> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path), layout_(path, std::move(tensors), metadata) {
  file_.reserve(layout_.size);
  file_.write(layout_.header);
}

void SafetensorsWriter::write(const std::string& name, std::span<const std::byte> data,
                              uint64_t offset) {
  const auto found = layout_.slots.find(name);
  if (found == layout_.slots.end()) {
    throw Error(fmt::format("tensor {} for {}", name, file_.temporary().string()),
                "a tensor declared at construction", "declare it");
  }
  const SafetensorsLayout::Slot& slot = found->second;
  uint64_t& written = written_[name];
  if (offset != written || data.size() > slot.size - written) {
    throw Error(fmt::format("{} bytes at {} of tensor {}", data.size(), offset, name),
                fmt::format("the next piece of {} bytes, from {}", slot.size, written),
                "write each tensor once, its pieces in order");
  }
  file_.write_at(slot.begin + offset, data);
  written += data.size();
}

void SafetensorsWriter::commit(bool durable) {
  for (const auto& [name, slot] : layout_.slots) {
    if (written_[name] != slot.size) {
      throw Error(fmt::format("{} bytes of tensor {} written", written_[name], name),
                  fmt::format("{}", slot.size), "write every declared tensor before commit()");
    }
  }
  file_.commit(durable);
}

}  // namespace octet
