#include "datasets/sample_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "core/containers/hdf5.h"
#include "core/error.h"
#include "core/hash.h"

namespace octet {
namespace {

constexpr const char* kFormat = "octet-samples";
constexpr int64_t kVersion = 1;
constexpr const char* kRemedy = "remove the file; it is made again";

[[noreturn]] void refuse(const std::string& found, const std::string& expected) {
  throw Error(found + " in a sample cache", expected, kRemedy);
}

void write(const std::filesystem::path& path, const SampleKey& key,
           const PreparedSamples& samples) {
  Hdf5Writer file(path);
  file.attribute("/", "format", std::string(kFormat));
  file.attribute("/", "version", kVersion);
  file.attribute("/", "content", key.content);
  file.attribute("/", "tokenizer", key.tokenizer);
  file.attribute("/", "length", key.length);
  for (const auto& [name, lists] :
       {std::pair("/source", &samples.source), std::pair("/target", &samples.target)}) {
    const auto& [ids, offsets] = std::tie(lists->ids(), lists->offsets());
    file.dataset(fmt::format("{}/ids", name), ids, {std::ssize(ids)});
    file.dataset(fmt::format("{}/offsets", name), offsets, {std::ssize(offsets)});
  }
  file.commit();
}

TokenLists read_lists(const Hdf5Reader& file, const std::string& group) {
  TokenLists lists(file.integers(group + "/ids"), file.integers(group + "/offsets"));
  if (std::any_of(lists.ids().begin(), lists.ids().end(), [](int64_t id) { return id < 0; }))
    refuse("a negative id", "ids from 0 up");
  return lists;
}

PreparedSamples read(const std::filesystem::path& path, const SampleKey& key) {
  const Hdf5Reader file(path);
  const std::string format = file.text("/", "format");
  if (format != kFormat) refuse(fmt::format("format '{}'", format), kFormat);
  const int64_t version = file.integer("/", "version");
  if (version != kVersion)
    refuse(fmt::format("version {}", version), fmt::format("version {}", kVersion));
  const SampleKey held{file.text("/", "content"), file.text("/", "tokenizer"),
                       file.integer("/", "length")};
  if (held.hash() != key.hash()) refuse("another key", "that of the file's name");
  PreparedSamples samples{read_lists(file, "/source"), read_lists(file, "/target")};
  if (samples.target.size() != 0 && samples.target.size() != samples.source.size()) {
    refuse(fmt::format("{} sources and {} targets", samples.source.size(), samples.target.size()),
           "a target for each source, or none");
  }
  return samples;
}

std::optional<PreparedSamples> try_read(const std::filesystem::path& path, const SampleKey& key,
                                        Log* log) {
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) return std::nullopt;
  try {
    return read(path, key);
  } catch (const Error& error) {
    if (log) log->info(fmt::format("{} is made again: {}", path.string(), error.found()));
    return std::nullopt;
  }
}

}  // namespace

TokenLists::TokenLists(std::vector<int64_t> ids, std::vector<int64_t> offsets)
    : ids_(std::move(ids)), offsets_(std::move(offsets)) {
  if (offsets_.empty() || offsets_.front() != 0 || offsets_.back() != std::ssize(ids_) ||
      !std::is_sorted(offsets_.begin(), offsets_.end())) {
    refuse(fmt::format("{} offsets that do not divide {} ids", offsets_.size(), ids_.size()),
           "offsets from 0 to the number of ids, none below the one before");
  }
}

void TokenLists::add(std::span<const int64_t> list) {
  ids_.insert(ids_.end(), list.begin(), list.end());
  offsets_.push_back(std::ssize(ids_));
}

std::span<const int64_t> TokenLists::operator[](int64_t i) const {
  const auto at = static_cast<size_t>(i);
  return std::span(ids_).subspan(static_cast<size_t>(offsets_[at]),
                                 static_cast<size_t>(offsets_[at + 1] - offsets_[at]));
}

std::string SampleKey::hash() const {
  return sha256(fmt::format("{}\n{}\n{}\n{}", kVersion, content, tokenizer, length));
}

PreparedSamples cached_samples(const std::filesystem::path& folder, const SampleKey& key,
                               const std::function<PreparedSamples()>& prepare, Log* log) {
  const std::filesystem::path path = folder / (key.hash() + ".h5");
  if (auto found = try_read(path, key, log)) return std::move(*found);
  PreparedSamples samples = prepare();
  try {
    std::filesystem::create_directories(folder);
    write(path, key, samples);
  } catch (const Error& error) {
    if (log) log->warn(fmt::format("samples are not cached: {}", error.what()));
  } catch (const std::filesystem::filesystem_error& error) {
    if (log) log->warn(fmt::format("samples are not cached: {}", error.what()));
  }
  return samples;
}

}  // namespace octet
