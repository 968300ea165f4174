#include "core/containers/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // as the reference implementation
constexpr size_t kMaxTensors = 1'000'000;
constexpr size_t kMaxRank = 16;
constexpr const char* kMetadata = "__metadata__";

[[noreturn]] void bad(const fs::path& path, const std::string& found, const std::string& expected) {
  throw Error(fmt::format("{} in {}", found, path.string()), expected,
              "copy or download the file again");
}

uint64_t unsigned_number(const nlohmann::json& value, const fs::path& path,
                         const std::string& what) {
  if (!value.is_number_unsigned()) {
    bad(path, fmt::format("{} = {}", what, value.dump(-1, ' ', true).substr(0, 60)),
        "a non-negative integer");
  }
  return value.get<uint64_t>();
}

std::map<std::string, std::string> parse_metadata(const nlohmann::json& value,
                                                  const fs::path& path) {
  if (!value.is_object()) bad(path, "__metadata__ that is not an object", "a map of strings");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      bad(path, fmt::format("__metadata__ entry \"{}\" of type {}", key, text.type_name()),
          "a string");
    }
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

std::vector<int64_t> parse_shape(const nlohmann::json& value, const fs::path& path,
                                 const std::string& tensor) {
  if (!value.is_array() || value.size() > kMaxRank) {
    bad(path, fmt::format("the shape of tensor {}", tensor),
        fmt::format("an array of at most {} dimensions", kMaxRank));
  }
  std::vector<int64_t> shape;
  for (const auto& item : value) {
    const uint64_t dimension = unsigned_number(item, path, "a dimension of tensor " + tensor);
    if (dimension > static_cast<uint64_t>(INT64_MAX)) {
      bad(path, fmt::format("dimension {} of tensor {}", dimension, tensor), "at most 2^63 - 1");
    }
    shape.push_back(static_cast<int64_t>(dimension));
  }
  return shape;
}

// `data` is where the data begin in the file, `size` how many bytes of data follow.
SafetensorsFile::Entry parse_entry(const std::string& tensor, const nlohmann::json& value,
                                   const fs::path& path, uint64_t data, uint64_t size) {
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets")) {
    bad(path, fmt::format("the entry of tensor {}", tensor),
        "exactly dtype, shape and data_offsets");
  }
  const auto& type = value["dtype"];
  const auto dtype = type.is_string() ? dtype_from_name(type.get<std::string>()) : std::nullopt;
  if (!dtype) {
    bad(path, fmt::format("dtype {} of tensor {}", type.dump(-1, ' ', true).substr(0, 60), tensor),
        "a dtype of safetensors 0.8");
  }
  TensorInfo info{tensor, *dtype, parse_shape(value["shape"], path, tensor)};
  const auto& offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) {
    bad(path, fmt::format("the data_offsets of tensor {}", tensor), "two integers");
  }
  const uint64_t begin = unsigned_number(offsets[0], path, "data_offsets of tensor " + tensor);
  const uint64_t end = unsigned_number(offsets[1], path, "data_offsets of tensor " + tensor);
  if (end < begin || end > size) {
    bad(path, fmt::format("data_offsets [{}, {}] of tensor {}", begin, end, tensor),
        fmt::format("an ascending pair within {} bytes of data", size));
  }
  uint64_t bytes = 0;
  try {
    bytes = byte_count(info);
  } catch (const Error& error) {
    bad(path, error.found(), error.expected());
  }
  if (bytes != end - begin) {
    bad(path, fmt::format("{} bytes for tensor {}", end - begin, tensor),
        fmt::format("{} bytes by its dtype and shape", bytes));
  }
  return {std::move(info), data + begin, data + end};
}

// Every byte of data belongs to exactly one tensor.
void check_cover(const std::map<std::string, SafetensorsFile::Entry>& entries, const fs::path& path,
                 uint64_t data, uint64_t file_size) {
  std::vector<const SafetensorsFile::Entry*> order;
  order.reserve(entries.size());
  for (const auto& [name, entry] : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
  });
  uint64_t at = data;
  for (const auto* entry : order) {
    if (entry->begin != at) {
      bad(path, fmt::format("tensor {} at data byte {}", entry->info.name, entry->begin - data),
          fmt::format("{}, without holes or overlaps", at - data));
    }
    at = entry->end;
  }
  if (at != file_size) {
    bad(path, fmt::format("{} bytes after the last tensor", file_size - at), "none");
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const fs::path& path) : file_(path) {
  if (file_.size() < 8) bad(path, fmt::format("a file of {} bytes", file_.size()), "at least 8");
  uint64_t length = 0;
  file_.read_at(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > kMaxHeader || length > file_.size() - 8) {
    bad(path, fmt::format("header length {} with {} bytes left", length, file_.size() - 8),
        fmt::format("a header inside the file, of at most {} bytes", kMaxHeader));
  }
  std::string text(length, '\0');
  file_.read_at(8, std::as_writable_bytes(std::span(text)));
  if (text.empty() || text.front() != '{') bad(path, "a header without {", "a JSON object");
  const auto header = parse_json(text, path.string());
  if (header.size() > kMaxTensors) {
    bad(path, fmt::format("{} tensors", header.size()), fmt::format("at most {}", kMaxTensors));
  }
  const uint64_t data = 8 + length;
  for (const auto& [name, value] : header.items()) {
    if (name == kMetadata) {
      metadata_ = parse_metadata(value, path);
    } else {
      entries_.emplace(name, parse_entry(name, value, path, data, file_.size() - data));
    }
  }
  check_cover(entries_, path, data, file_.size());
}

void SafetensorsFile::read(const Entry& entry, std::span<std::byte> out) const {
  if (out.size() != entry.end - entry.begin) {
    throw Error(fmt::format("a buffer of {} bytes for tensor {}", out.size(), entry.info.name),
                fmt::format("{} bytes", entry.end - entry.begin),
                "size the buffer by byte_count()");
  }
  file_.read_at(entry.begin, out);
}

}  // namespace octet
