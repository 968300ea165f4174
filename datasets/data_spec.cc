#include "datasets/data_spec.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/random.h"

namespace octet {
namespace {

constexpr const char* kKinds =
    "text:FILE, jsonl:FILE, choice:FILE, parallel:SRC,TGT, gettext:LANG[:DIR], idx:IMAGES,LABELS, "
    "idx:DIR, images:DIR or plain FILE (files may end in .gz)";
constexpr const char* kCatalogues = "/usr/share/locale";

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

struct KindName {
  DataKind kind;
  const char* name;
};
constexpr KindName kKindNames[] = {
    {DataKind::kText, "text"},       {DataKind::kJsonl, "jsonl"},
    {DataKind::kChoice, "choice"},   {DataKind::kParallel, "parallel"},
    {DataKind::kGettext, "gettext"}, {DataKind::kIdx, "idx"},
    {DataKind::kImages, "images"},
};
constexpr const char* kSplitNames[] = {"train", "valid", "test", "all"};

std::optional<DataKind> kind_named(std::string_view word) {
  for (const KindName& known : kKindNames) {
    if (word == known.name) return known.kind;
  }
  return std::nullopt;
}

bool has_splits(DataKind kind) {
  return kind == DataKind::kGettext || kind == DataKind::kIdx || kind == DataKind::kImages;
}

std::optional<Split> split_named(std::string_view word) {
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest, Split::kAll}) {
    if (word == split_name(split)) return split;
  }
  return std::nullopt;
}

// Takes "@SPLIT" off the end of `rest`. A language may have a modifier of its own (ca@valencia).
void take_split(const std::string& argument, std::string& rest, DataSpec& spec) {
  if (spec.kind == DataKind::kText || spec.kind == DataKind::kJsonl ||
      spec.kind == DataKind::kChoice) {
    return;
  }
  const size_t at = rest.rfind('@');
  if (at == std::string::npos || rest.find('/', at) != std::string::npos) return;
  const auto split = split_named(std::string_view(rest).substr(at + 1));
  const bool modifier = spec.kind == DataKind::kGettext || spec.kind == DataKind::kParallel;
  if (!split && modifier) return;
  if (!split) {
    throw UsageError(fmt::format("unknown split \"{}\" in \"{}\"", rest.substr(at), argument),
                     "@train, @valid, @test or @all",
                     "use a known split, or add @all to a name with an @");
  }
  if (!has_splits(spec.kind)) {
    throw UsageError(fmt::format("a split of data without splits, \"{}\"", argument),
                     "@SPLIT behind gettext:, idx: or images: alone", "drop it");
  }
  spec.split = split;
  rest.resize(at);
}

[[noreturn]] void fail_form(const std::string& argument, const std::string& form) {
  throw UsageError(fmt::format("data \"{}\"", argument), form, "write it in this form");
}

// "A,B" into path and second.
void take_two_files(const std::string& argument, const std::string& rest, const char* form,
                    DataSpec& spec) {
  const size_t comma = rest.find(',');
  if (comma == std::string::npos || rest.find(',', comma + 1) != std::string::npos || comma == 0 ||
      comma + 1 == rest.size()) {
    fail_form(argument, form);
  }
  spec.path = rest.substr(0, comma);
  spec.second = rest.substr(comma + 1);
}

void take_catalogues(const std::string& argument, const std::string& rest, DataSpec& spec) {
  const size_t colon = std::min(rest.find(':'), rest.size());
  spec.language = rest.substr(0, colon);
  spec.path = colon == rest.size() ? kCatalogues : rest.substr(colon + 1);
  const bool good =
      !spec.language.empty() && std::all_of(spec.language.begin(), spec.language.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '@';
      });
  if (!good || spec.path.empty()) {
    fail_form(argument, "gettext:LANG or gettext:LANG:DIR, with LANG as de, pt_BR or sr@latin");
  }
}

void take_rest(const std::string& argument, std::string rest, DataSpec& spec) {
  take_split(argument, rest, spec);
  if (rest.empty()) {
    throw UsageError(fmt::format("no file name in data \"{}\"", argument), kKinds, "name a file");
  }
  if (spec.kind == DataKind::kParallel) {
    take_two_files(argument, rest, "parallel:SRC,TGT, two files", spec);
  } else if (spec.kind == DataKind::kGettext) {
    take_catalogues(argument, rest, spec);
  } else if (spec.kind == DataKind::kIdx && rest.find(',') != std::string::npos) {
    take_two_files(argument, rest, "idx:IMAGES,LABELS or idx:DIR", spec);
  } else {
    spec.path = rest;
  }
  spec.gzip = spec.path.ends_with(".gz");
}

}  // namespace

const char* kind_name(DataKind kind) {
  for (const KindName& known : kKindNames) {
    if (kind == known.kind) return known.name;
  }
  return "?";
}

const char* split_name(Split split) {
  return kSplitNames[static_cast<size_t>(split)];
}

Split split_by_hash(std::string_view key, uint64_t parts) {
  const uint64_t part = Random(0, key).below(0, parts);
  return part == 0 ? Split::kValid : part == 1 ? Split::kTest : Split::kTrain;
}

DataSpec parse_data_spec(const std::string& argument) {
  DataSpec spec;
  std::string rest = argument;
  if (argument.find(';') != std::string::npos) {
    throw UsageError(fmt::format("data of several parts, \"{}\"", argument),
                     "one part, without ';'", "join the files, or give one of them");
  }
  const std::string_view word = kind_of(argument);
  if (!word.empty()) {
    const auto kind = kind_named(word);
    if (!kind) {
      throw UsageError(fmt::format("unknown kind of data \"{}:\" in \"{}\"", word, argument),
                       kKinds, "use a known kind, or write ./ before a file name with a colon");
    }
    spec.kind = *kind;
    rest = argument.substr(word.size() + 1);
  }
  take_rest(argument, rest, spec);
  return spec;
}

std::vector<DataSpec> parse_data_parts(const std::string& argument) {
  std::vector<DataSpec> parts;
  for (size_t begin = 0; begin <= argument.size();) {
    const size_t end = std::min(argument.find(';', begin), argument.size());
    if (end == begin) {
      throw UsageError(fmt::format("an empty part in data \"{}\"", argument), kKinds,
                       "name a file on each side of ';'");
    }
    parts.push_back(parse_data_spec(argument.substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

void refuse_kind(const DataSpec& spec, const std::string& wanted) {
  throw UsageError(fmt::format("{} data ({})", kind_name(spec.kind), spec.path), wanted,
                   "give data of a kind that this model reads (docs/data.md lists them)");
}

std::string read_whole(const std::string& path, uint64_t limit) {
  return path.ends_with(".gz") ? read_gzip(path, limit) : read_file(path, limit);
}

std::string read_bytes(const DataSpec& spec, uint64_t limit) {
  std::string text = read_whole(spec.path, limit);
  if (text.find_first_not_of('\0') == std::string::npos) {
    throw Error(fmt::format("empty data in {} ({} bytes, none but NUL)", spec.path, text.size()),
                "text", "give a file with text in it");
  }
  return text;
}

}  // namespace octet
