// A folder that appears under its final name only when it is complete, and whose construction can
// resume.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace octet {

/// A folder that is built as OUT.partial/ and renamed to OUT when complete. manifest.json inside
/// holds a version, the key (options and input identities) and the finished units. Opening it again
/// with the same key resumes; opening it with another key is an Error that names the differing
/// entries.
class StageDir {
 public:
  static constexpr const char* kManifest = "octet-manifest.json";
  StageDir(std::filesystem::path out, const nlohmann::json& key);
  ~StageDir();
  StageDir(const StageDir&) = delete;
  StageDir& operator=(const StageDir&) = delete;
  /// True if OUT is already complete with the same key, so that there is nothing to do.
  bool complete() const { return complete_; }
  /// Where to write: OUT.partial/ (or OUT when complete()).
  const std::filesystem::path& path() const { return path_; }
  bool has(const std::string& unit) const;
  /// Records `unit` as finished, durably.
  void finish(const std::string& unit);
  /// Kept in the manifest as "content": what commit() leaves, for later checks.
  void describe(const nlohmann::json& content);
  /// The "content" of the manifest in a finished folder; null when there is none.
  static nlohmann::json content(const std::filesystem::path& folder);
  /// Renames OUT.partial/ to OUT. The manifest stays as OUT/octet-manifest.json.
  void commit();
  /// Removes OUT.partial/, for stages whose result is a single file written elsewhere.
  void discard();

 private:
  void save() const;
  std::filesystem::path out_, path_;
  std::string key_, content_;
  std::vector<std::string> units_;
  bool complete_ = false;
};

}  // namespace octet
