#include "datasets/data_spec.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/files.h"

namespace octet {
namespace {

constexpr const char* kKinds = "text:FILE, jsonl:FILE, choice:FILE or plain FILE (may end in .gz)";

// The "word" of "word:rest", or empty.
std::string_view kind_of(std::string_view argument) {
  const size_t colon = argument.find(':');
  if (colon == std::string_view::npos || colon == 0) return {};
  const std::string_view word = argument.substr(0, colon);
  const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  return plain ? word : std::string_view{};
}

[[noreturn]] void fail_gzip(const std::string& path, const std::string& why) {
  throw Error(fmt::format("{} is not whole gzip data ({})", path, why), "a gzip file",
              "compress or download it again, or drop the .gz of its name");
}

std::string read_gzip(const std::string& path, uint64_t limit) {
  const InputFile exists(path);  // its errors name what is wrong with the path
  if (exists.size() == 0) return {};
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(::gzopen(path.c_str(), "rbe"), ::gzclose);
  if (!file) fail_gzip(path, "cannot be opened");
  if (::gzdirect(file.get()) == 1) fail_gzip(path, "no gzip header");
  std::string text;
  std::vector<char> chunk(size_t{1} << 20);
  while (true) {
    const int got = ::gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
    int code = Z_OK;
    const char* message = ::gzerror(file.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) fail_gzip(path, message);
    if (got == 0) return text;
    if (text.size() + static_cast<uint64_t>(got) > limit) {
      throw Error(fmt::format("{} holds more than {} bytes uncompressed", path, limit),
                  fmt::format("at most {} bytes of text", limit), "split the file");
    }
    text.append(chunk.data(), static_cast<size_t>(got));
  }
}

std::optional<DataKind> kind_named(std::string_view word) {
  if (word == "text") return DataKind::kText;
  if (word == "jsonl") return DataKind::kJsonl;
  if (word == "choice") return DataKind::kChoice;
  return std::nullopt;
}

}  // namespace

DataSpec parse_data_spec(const std::string& argument) {
  DataSpec spec;
  spec.path = argument;
  const std::string_view word = kind_of(argument);
  if (!word.empty()) {
    const auto kind = kind_named(word);
    if (!kind) {
      throw UsageError(fmt::format("unknown kind of data \"{}:\" in \"{}\"", word, argument),
                       kKinds, "use a known kind, or write ./ before a file name with a colon");
    }
    spec.kind = *kind;
    spec.path = argument.substr(word.size() + 1);
  }
  if (spec.path.empty()) {
    throw UsageError(fmt::format("no file name in data \"{}\"", argument), kKinds, "name a file");
  }
  spec.gzip = spec.path.ends_with(".gz");
  return spec;
}

std::string read_bytes(const DataSpec& spec, uint64_t limit) {
  std::string text = spec.gzip ? read_gzip(spec.path, limit) : read_file(spec.path, limit);
  if (text.find_first_not_of('\0') == std::string::npos) {
    throw Error(fmt::format("empty data in {} ({} bytes, none but NUL)", spec.path, text.size()),
                "text", "give a file with text in it");
  }
  return text;
}

}  // namespace octet
