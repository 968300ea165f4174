#include "datasets/identity.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/hash.h"
#include "core/io/file_identity.h"
#include "datasets/gettext/gettext.h"
#include "datasets/images/image_sets.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json identity_of(const DataSpec& spec, Split split) {
  const std::vector<fs::path> files = data_files(spec, split);
  if (files.size() == 1) return file_identity(files[0]);
  Sha256 hash;
  for (const fs::path& file : files) {
    const std::string line = fmt::format("{} {}\n", file.string(), file_identity(file).dump());
    hash.update(std::as_bytes(std::span(line)));
  }
  return {{"files", files.size()}, {"split", split_name(split)}, {"sha256", hash.hex()}};
}

}  // namespace

std::vector<fs::path> data_files(const DataSpec& spec, Split split) {
  const Split part = spec.split.value_or(split);
  switch (spec.kind) {
    case DataKind::kParallel:
      return {spec.path, spec.second};
    case DataKind::kGettext:
      return catalogue_files(spec.path, spec.language);
    case DataKind::kIdx:
      return idx_files(spec, part);
    case DataKind::kImages:
      return folder_files(spec);
    default:
      return {spec.path};
  }
}

json data_identity(const std::string& data, Split split) {
  json parts = json::array();
  for (const DataSpec& spec : parse_data_parts(data)) {
    parts.push_back(identity_of(spec, spec.split.value_or(split)));
  }
  return parts.size() == 1 ? parts[0] : parts;
}

}  // namespace octet
