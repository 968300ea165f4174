#include "datasets/gettext/mo_file.h"

#include <fmt/format.h>
#include <iconv.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/utf8.h"

namespace octet {
namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 28;
constexpr uint32_t kMagic = 0x950412DE;
constexpr size_t kHeaderBytes = 28;

// The file as text, with every length and offset checked.
class MoFile {
 public:
  MoFile(std::string bytes, const std::string& path) : path_(path), bytes_(std::move(bytes)) {
    if (bytes_.size() < kHeaderBytes) refuse(fmt::format("{} bytes", bytes_.size()));
    if (number(0) != kMagic) {
      swapped_ = true;
      if (number(0) != kMagic) refuse("another beginning than a catalogue's");
    }
    const uint32_t major = number(4) >> 16;
    if (major > 1) refuse(fmt::format("revision {}", major));
    count_ = number(8);
    sources_ = table(number(12));
    targets_ = table(number(16));
    uint64_t held = 0;
    for (uint32_t i = 0; i < count_; ++i) held += source(i).size() + target(i).size() + 2;
    if (held > bytes_.size()) refuse("messages that overlap");
  }

  uint32_t count() const { return count_; }
  std::string_view source(uint32_t i) const { return text(sources_ + 8 * uint64_t{i}); }
  std::string_view target(uint32_t i) const { return text(targets_ + 8 * uint64_t{i}); }

 private:
  [[noreturn]] void refuse(const std::string& found) const {
    throw Error(fmt::format("{} in {}", found, path_), "a GNU message catalogue (.mo)",
                "install its package again or leave the file out");
  }

  uint32_t number(uint64_t at) const {
    std::array<uint8_t, 4> b{};
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at), 4, b.begin());
    if (swapped_) std::reverse(b.begin(), b.end());
    return uint32_t{b[0]} | uint32_t{b[1]} << 8 | uint32_t{b[2]} << 16 | uint32_t{b[3]} << 24;
  }

  // Where a table of (length, offset) begins; it lies inside the file.
  uint64_t table(uint32_t begin) const {
    if (begin < kHeaderBytes || begin > bytes_.size() || count_ > (bytes_.size() - begin) / 8)
      refuse(fmt::format("a table of {} messages at byte {}", count_, begin));
    return begin;
  }

  std::string_view text(uint64_t entry) const {
    const uint64_t size = number(entry), begin = number(entry + 4);
    if (begin >= bytes_.size() || size >= bytes_.size() - begin || bytes_[begin + size] != '\0')
      refuse(fmt::format("a message of {} bytes at byte {}", size, begin));
    return std::string_view(bytes_).substr(begin, size);
  }

  std::string path_, bytes_;
  bool swapped_ = false;
  uint32_t count_ = 0;
  uint64_t sources_ = 0, targets_ = 0;
};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

// The charset of "Content-Type: text/plain; charset=..."; "UTF-8" where none is named.
std::string charset_of(std::string_view header) {
  constexpr std::string_view kKey = "charset=";
  const size_t at = header.find(kKey);
  if (at == std::string_view::npos) return "UTF-8";
  const size_t begin = at + kKey.size();
  const std::string name = upper(header.substr(
      begin, std::min(header.find_first_of(" \t\r\n;\"", begin), header.size()) - begin));
  return name.empty() || name == "CHARSET" || name == "UTF8" ? "UTF-8" : name;
}

// Single bytes and plain double bytes; the stateful ones are not worth their parsers' risk.
bool known_charset(const std::string& name) {
  constexpr std::string_view kKnown[] = {
      "ISO-8859-", "ISO8859-", "WINDOWS-125", "CP125", "KOI8-R",  "KOI8-U", "EUC-JP",
      "EUC-KR",    "GB2312",   "GBK",         "BIG5",  "TIS-620", "ASCII",  "US-ASCII"};
  return name.find('/') == std::string::npos &&
         std::any_of(std::begin(kKnown), std::end(kKnown),
                     [&](std::string_view known) { return name.starts_with(known); });
}

// Text of a charset as UTF-8; nothing for text that is not in it.
class Converter {
 public:
  explicit Converter(const std::string& charset) : utf8_(charset == "UTF-8") {
    if (utf8_ || !known_charset(charset)) return;
    const iconv_t opened = ::iconv_open("UTF-8", charset.c_str());
    // iconv_open answers (iconv_t)-1 for what it does not know
    if (opened != reinterpret_cast<iconv_t>(-1)) handle_.reset(opened);  // NOLINT
  }

  bool known() const { return utf8_ || handle_ != nullptr; }

  std::optional<std::string> operator()(std::string_view text) const {
    if (utf8_) return valid_utf8(text) ? std::optional(std::string(text)) : std::nullopt;
    std::string in(text), out(4 * text.size() + 4, '\0');
    char *from = in.data(), *to = out.data();
    size_t left = in.size(), room = out.size();
    ::iconv(handle_.get(), nullptr, nullptr, nullptr, nullptr);
    if (::iconv(handle_.get(), &from, &left, &to, &room) == static_cast<size_t>(-1) || left > 0)
      return std::nullopt;
    out.resize(out.size() - room);
    return out;
  }

 private:
  struct Close {
    void operator()(void* handle) const { ::iconv_close(handle); }
  };
  bool utf8_;
  std::unique_ptr<void, Close> handle_;
};

// Behind the context, and of plural forms the first.
std::string_view bare(std::string_view text, bool source) {
  if (const size_t context = text.find('\x04'); source && context != std::string_view::npos)
    text.remove_prefix(context + 1);
  return text.substr(0, text.find('\0'));
}

}  // namespace

Catalogue parse_mo(std::string bytes, const std::string& path) {
  const MoFile file(std::move(bytes), path);
  std::string charset = "UTF-8";
  for (uint32_t i = 0; i < file.count(); ++i) {
    if (file.source(i).empty()) charset = charset_of(file.target(i));
  }
  Catalogue catalogue;
  const Converter convert(charset);
  if (!convert.known()) {
    catalogue.unknown_charset = charset.substr(0, 40);
    return catalogue;
  }
  for (uint32_t i = 0; i < file.count(); ++i) {
    if (file.source(i).empty()) continue;
    auto source = convert(bare(file.source(i), true));
    auto target = convert(bare(file.target(i), false));
    if (source && target) {
      catalogue.messages.push_back({std::move(*source), std::move(*target)});
    } else {
      ++catalogue.invalid;
    }
  }
  return catalogue;
}

Catalogue read_mo(const std::string& path) {
  return parse_mo(read_file(path, kMostBytes), path);
}

}  // namespace octet
