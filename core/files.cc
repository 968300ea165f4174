#include "core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/system_error.h"
#include "core/json.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

constexpr int kStageVersion = 1;
constexpr const char* kTemporary = ".tmp.";

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw_system_error("open", folder, "check the folder and its permissions");
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

InputFile::InputFile(const fs::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) throw_system_error("open", path, "check the path and its permissions");
  struct stat info {};
  if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd_);
    throw Error(fmt::format("{} is not a regular file", path.string()), "a regular file",
                "check the path");
  }
  size_ = static_cast<uint64_t>(info.st_size);
}

InputFile::~InputFile() {
  if (fd_ >= 0) ::close(fd_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

void InputFile::read_at(uint64_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error("read", path_, "check the disk");
    if (got == 0) {
      throw Error(fmt::format("{} ends at byte {}", path_.string(), offset + done),
                  fmt::format("{} bytes from {}", out.size(), offset),
                  "the file is truncated: copy or download it again");
    }
    done += static_cast<size_t>(got);
  }
}

void InputFile::forget(uint64_t offset, uint64_t size) const noexcept {
  ::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
}

std::string read_file(const fs::path& path, uint64_t limit) {
  const InputFile file(path);
  if (file.size() > limit) {
    throw Error(fmt::format("{} of {} bytes", path.string(), file.size()),
                fmt::format("at most {} bytes", limit), "check that this is the right file");
  }
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  temporary_ = path_;
  temporary_ += fmt::format("{}{}", kTemporary, ::getpid());
  fd_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0)
    throw_system_error("create", temporary_, "check that the folder exists and is writable");
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> data) {
  write_at(end_, data);
}

void AtomicFile::write(const std::string& text) {
  write(std::as_bytes(std::span(text)));
}

void AtomicFile::write_at(uint64_t offset, std::span<const std::byte> data) {
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t put =
        ::pwrite(fd_, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_system_error("write", path_, "check the disk and its permissions");
    done += static_cast<size_t>(put);
  }
  end_ = std::max<uint64_t>(end_, offset + data.size());
}

void AtomicFile::reserve(uint64_t bytes) {
  if (bytes == 0) return;
  errno = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  if (errno != 0 && errno != EINVAL && errno != EOPNOTSUPP) {
    throw_system_error(fmt::format("reserve {} bytes for", bytes), path_, "check the disk");
  }
}

void AtomicFile::commit(bool durable) {
  if (durable && ::fsync(fd_) != 0) throw_system_error("flush", path_, "check the disk");
  ::close(std::exchange(fd_, -1));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    ::unlink(temporary_.c_str());
    errno = code;
    throw_system_error("rename into place", path_, "check the folder's permissions");
  }
  if (durable) sync_folder(path_.parent_path());
}

void write_file(const fs::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

namespace {

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
    if (entry.path().filename().string().find(kTemporary) != std::string::npos) {
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

nlohmann::json file_identity(const fs::path& path) {
  nlohmann::json identity = nlohmann::json::object();
  const auto add = [&identity](const fs::path& file) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0)
      throw_system_error("read", file, "check the path and its permissions");
    identity[file.filename().string()] = {
        {"size", info.st_size},
        {"mtime_ns", info.st_mtim.tv_sec * 1000000000LL + info.st_mtim.tv_nsec}};
  };
  if (!fs::is_directory(path)) {
    add(path);
    return identity;
  }
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.is_regular_file()) add(entry.path());
  }
  return identity;
}

}  // namespace octet
