#include "datasets/text.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"

namespace octet {
namespace {

constexpr std::string_view kKinds = "text:FILE or plain FILE (either may end in .gz)";

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

}  // namespace

TextSpec parse_text_spec(const std::string& argument) {
  std::string path = argument;
  const std::string_view kind = kind_of(argument);
  if (kind == "text") {
    path = argument.substr(kind.size() + 1);
  } else if (!kind.empty()) {
    throw UsageError(fmt::format("unknown kind of data \"{}:\" in \"{}\"", kind, argument),
                     std::string(kKinds),
                     "use a known kind, or write ./ before a file name with a colon");
  }
  if (path.empty()) {
    throw UsageError(fmt::format("no file name in data \"{}\"", argument), std::string(kKinds),
                     "name a text file");
  }
  const bool gzip = path.ends_with(".gz");
  return {std::move(path), gzip};
}

std::string read_text(const TextSpec& spec, uint64_t limit) {
  std::string text = spec.gzip ? read_gzip(spec.path, limit) : read_file(spec.path, limit);
  if (text.find_first_not_of('\0') == std::string::npos) {
    throw Error(fmt::format("empty data in {} ({} bytes, none but NUL)", spec.path, text.size()),
                "text", "give a file with text in it");
  }
  return text;
}

TokenWindows::TokenWindows(std::string_view text, const EncodeFunction& encode, int64_t length,
                           std::optional<int32_t> bos)
    : bos_(bos), length_(length), stride_(bos ? length - 1 : length) {
  if (length < 2) {
    throw UsageError(fmt::format("windows of {} tokens", length), "at least 2 tokens a window",
                     "choose a longer window");
  }
  ids_ = encode(text);
  if (std::any_of(ids_.begin(), ids_.end(), [](int32_t id) { return id < 0; })) {
    throw Error("a negative token id", "ids from 0 up", "check the tokenizer of this model");
  }
  size_ = static_cast<int64_t>(ids_.size()) / stride_;
  if (size_ == 0) {
    throw Error(fmt::format("a text of {} tokens", ids_.size()),
                fmt::format("at least {} for one window", stride_),
                "give more text or choose a shorter window");
  }
}

std::vector<int64_t> TokenWindows::window(int64_t i) const {
  if (i < 0 || i >= size_) {
    throw Error(fmt::format("window {}", i), fmt::format("a window in [0, {})", size_),
                "ask for fewer samples");
  }
  std::vector<int64_t> out;
  out.reserve(static_cast<size_t>(length_));
  if (bos_) out.push_back(*bos_);
  const auto begin = ids_.begin() + i * stride_;
  out.insert(out.end(), begin, begin + stride_);
  return out;
}

std::vector<int64_t> sample_order(int64_t size, int64_t wanted, uint64_t seed) {
  if (wanted < 1 || wanted > size) {
    throw Error(fmt::format("{} samples wanted of {}", wanted, size),
                fmt::format("between 1 and {}", size), "give more data or ask for fewer samples");
  }
  std::vector<int64_t> order(static_cast<size_t>(wanted));
  if (seed == 0) {
    for (int64_t i = 0; i < wanted; ++i) order[static_cast<size_t>(i)] = i;
    return order;
  }
  const auto all = Random(seed, "datasets/sample_order").permutation(static_cast<uint64_t>(size));
  std::copy_n(all.begin(), wanted, order.begin());
  return order;
}

std::vector<Unit> units(int64_t samples, int64_t unit_size) {
  if (samples < 0 || unit_size < 1) {
    throw UsageError(fmt::format("{} samples in units of {}", samples, unit_size),
                     "no negative count and units of at least 1", "choose a batch of 1 or more");
  }
  std::vector<Unit> out;
  for (int64_t begin = 0; begin < samples; begin += unit_size) {
    out.push_back({begin, std::min(samples, begin + unit_size)});
  }
  return out;
}

std::vector<int64_t> shard_units(int64_t unit_count, int64_t shard, int64_t shards) {
  if (shards < 1 || shard < 0 || shard >= shards) {
    throw UsageError(fmt::format("shard {} of {}", shard, shards), "0 <= shard < number of shards",
                     "count shards from 0");
  }
  std::vector<int64_t> out;
  for (int64_t unit = shard; unit < unit_count; unit += shards) out.push_back(unit);
  return out;
}

}  // namespace octet
