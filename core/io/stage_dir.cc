#include "core/io/stage_dir.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/atomic_file.h"
#include "core/io/system_error.h"
#include "core/json.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

constexpr int kStageVersion = 1;

nlohmann::json read_manifest(const fs::path& folder) {
  if (!fs::exists(folder / StageDir::kManifest)) return nullptr;
  auto manifest = read_json((folder / StageDir::kManifest).string());
  if (!manifest.is_object() || !manifest.contains("version") || !manifest["version"].is_number()) {
    throw Error(fmt::format("no version in {}", (folder / StageDir::kManifest).string()),
                "a manifest of octet's", fmt::format("remove {}", folder.string()));
  }
  if (manifest["version"] > kStageVersion) {
    throw Error(
        fmt::format("manifest version {} in {}", manifest["version"].dump(), folder.string()),
        fmt::format("at most {}", kStageVersion), "use the octet that wrote it, or remove it");
  }
  return manifest;
}

// What a kill left of AtomicFiles: it must not become part of the result.
void remove_temporaries(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().find(kTemporaryMark) != std::string::npos) {
      found.push_back(entry.path());
    }
  }
  for (const fs::path& path : found) fs::remove(path);
}

// "a.b: 3 (now 4)" for each leaf that differs.
std::string differences(const nlohmann::json& before, const nlohmann::json& now) {
  std::string text;
  const auto old_flat = before.flatten(), new_flat = now.flatten();
  for (const auto& [name, value] : new_flat.items()) {
    const auto old = old_flat.contains(name) ? old_flat[name].dump() : "nothing";
    if (old != value.dump()) text += fmt::format(" {}: {} (now {}),", name, old, value.dump());
  }
  for (const auto& [name, value] : old_flat.items()) {
    if (!new_flat.contains(name)) text += fmt::format(" {}: {} (now nothing),", name, value.dump());
  }
  if (!text.empty()) text.pop_back();
  return text;
}

}  // namespace

StageDir::StageDir(fs::path out, const nlohmann::json& key)
    : out_(std::move(out)), key_(key.dump()) {
  while (!out_.has_filename() && out_.has_parent_path()) out_ = out_.parent_path();
  path_ = out_;
  path_ += ".partial";
  for (const auto& folder : {out_, path_}) {
    if (!fs::exists(folder)) continue;
    const auto manifest = read_manifest(folder);
    if (folder == path_ && manifest.is_null()) continue;
    if (manifest.is_null()) {
      throw UsageError(
          fmt::format("{} exists and was not written by this command", folder.string()),
          "a new folder or an earlier result of the same command",
          "choose another --out or remove the folder");
    }
    if (manifest.value("key", nlohmann::json()) != key) {
      throw UsageError(
          fmt::format("{} was made with other inputs or options:{}", folder.string(),
                      differences(manifest.value("key", nlohmann::json::object()), key)),
          "the same inputs and options",
          fmt::format("choose another --out, or remove {} to start over", folder.string()));
    }
    units_ = manifest.value("units", std::vector<std::string>());
    content_ = manifest.value("content", nlohmann::json::object()).dump();
    complete_ = folder == out_;
    if (complete_) {
      path_ = out_;
    } else {
      remove_temporaries(path_);
    }
    return;
  }
  std::error_code code;
  fs::create_directories(path_, code);
  if (code) {
    errno = code.value();
    throw_system_error("create", path_, "check that the parent folder is writable");
  }
  save();
}

StageDir::~StageDir() = default;

bool StageDir::has(const std::string& unit) const {
  return std::find(units_.begin(), units_.end(), unit) != units_.end();
}

void StageDir::finish(const std::string& unit) {
  if (has(unit)) return;
  units_.push_back(unit);
  save();
}

void StageDir::describe(const nlohmann::json& content) {
  content_ = content.dump();
}

nlohmann::json StageDir::content(const fs::path& folder) {
  const auto manifest = read_manifest(folder);
  return manifest.is_null() ? nullptr : manifest.value("content", nlohmann::json());
}

void StageDir::save() const {
  nlohmann::json manifest = {
      {"version", kStageVersion}, {"key", nlohmann::json::parse(key_)}, {"units", units_}};
  if (!content_.empty()) manifest["content"] = nlohmann::json::parse(content_);
  write_file(path_ / kManifest, manifest.dump(1));
}

void StageDir::commit() {
  if (complete_) return;
  save();
  if (::rename(path_.c_str(), out_.c_str()) != 0) {
    throw_system_error(fmt::format("rename {} to", path_.string()), out_,
                       "check the folder's permissions");
  }
  sync_folder(out_.parent_path());
  path_ = out_;
  complete_ = true;
}

void StageDir::discard() {
  std::error_code ignored;
  if (!complete_) fs::remove_all(path_, ignored);
}

}  // namespace octet
