#include "quant/formats/compressed_tensors/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/io/pool.h"
#include "core/io/stage_dir.h"

namespace octet {
namespace {

constexpr int kThreads = 4;
constexpr size_t kPiece = size_t{8} << 20;

struct Expected {
  std::string name, file, sha256;
};

[[noreturn]] void no_hashes(const std::filesystem::path& directory) {
  throw Error(fmt::format("no hashes in {}", (directory / StageDir::kManifest).string()),
              "a directory that octet quantize wrote", "quantize the model again");
}

std::string text_at(const nlohmann::json& object, const char* field,
                    const std::filesystem::path& directory) {
  if (!object.is_object() || !object.contains(field) || !object[field].is_string()) {
    no_hashes(directory);
  }
  return object[field].get<std::string>();
}

std::vector<Expected> expected_tensors(const nlohmann::json& content,
                                       const std::filesystem::path& directory) {
  std::vector<Expected> expected;
  for (const auto& [name, entry] : content.items()) {
    expected.push_back(
        {name, text_at(entry, "file", directory), text_at(entry, "sha256", directory)});
  }
  return expected;
}

class Verifier {
 public:
  Verifier(std::filesystem::path directory, Context& context)
      : directory_(std::move(directory)), context_(context), checkpoint_(directory_) {}

  VerifyReport run(const nlohmann::json& content) {
    const auto tensors = expected_tensors(content["tensors"], directory_);
    for (const Expected& tensor : tensors) check_tensor(tensor);
    for (const auto& [name, hash] : content["files"].items()) check_file(name, hash);
    check_extra(content["tensors"]);
    pool_.drain();
    context_.stop.check("run the same command again");
    std::sort(report_.wrong.begin(), report_.wrong.end(),
              [](const Mismatch& a, const Mismatch& b) { return a.name < b.name; });
    return std::move(report_);
  }

 private:
  void check_tensor(const Expected& expected) {
    ++report_.tensors;
    const auto found = checkpoint_.tensors().find(expected.name);
    if (found == checkpoint_.tensors().end()) return wrong(expected, "it is not there");
    const std::string file = found->second.file->path().filename();
    if (file != expected.file) return wrong(expected, "it lies in " + file);
    pool_.submit([this, expected, location = &found->second] {
      if (context_.stop.requested()) return;
      if (hash_of(*location) != expected.sha256) wrong(expected, "its bytes have changed");
    });
  }

  void check_file(const std::string& name, const nlohmann::json& hash) {
    ++report_.files;
    const Expected expected{name, name, hash.is_string() ? hash.get<std::string>() : ""};
    if (!std::filesystem::exists(directory_ / name)) return wrong(expected, "it is not there");
    if (sha256_file(directory_ / name) != expected.sha256) {
      wrong(expected, "its bytes have changed");
    }
  }

  void check_extra(const nlohmann::json& listed) {
    for (const auto& [name, location] : checkpoint_.tensors()) {
      if (listed.contains(name)) continue;
      wrong({name, location.file->path().filename(), ""}, "the manifest does not list it");
    }
  }

  static std::string hash_of(const Checkpoint::Location& location) {
    const auto& [file, entry] = location;
    std::vector<std::byte> buffer(std::min<uint64_t>(kPiece, entry.end - entry.begin));
    Sha256 hash;
    for (uint64_t at = entry.begin; at < entry.end; at += buffer.size()) {
      const auto part = std::span(buffer).first(std::min<uint64_t>(buffer.size(), entry.end - at));
      file->file().read_at(at, part);
      hash.update(part);
    }
    return hash.hex();
  }

  void wrong(const Expected& expected, const std::string& problem) {
    const std::lock_guard lock(mutex_);
    report_.wrong.push_back({expected.name, expected.file, problem});
  }

  std::filesystem::path directory_;
  Context& context_;
  Checkpoint checkpoint_;
  VerifyReport report_;
  std::mutex mutex_;
  TaskPool pool_{kThreads};  // last: its threads end before what they use goes
};

}  // namespace

VerifyReport verify_directory(const std::filesystem::path& directory, Context& context) {
  const nlohmann::json content = StageDir::content(directory);
  if (!content.is_object() || !content.contains("tensors") || !content["tensors"].is_object() ||
      !content.contains("files") || !content["files"].is_object()) {
    no_hashes(directory);
  }
  return Verifier(directory, context).run(content);
}

}  // namespace octet
